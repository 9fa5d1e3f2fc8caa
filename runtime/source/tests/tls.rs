//! Helm repositories behind TLS: openssl's server, which asks for a client's certificate when it is told to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use capstan_source::{
    Access, Chart, ChartRepository, Charts, ClientCertificate, FetchLimits, FetchPolicy, SourceError,
};

struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Serves the files of `dir`; with `authority`, only to who has a certificate of it.
    fn start(dir: &Path, authority: Option<&str>) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .unwrap()
            .port();
        let mut command = Command::new("openssl");
        command.current_dir(dir).args([
            "s_server",
            "-quiet",
            "-WWW",
            "-cert",
            "server.pem",
            "-key",
            "server.key",
        ]);
        command.args(["-accept", &format!("127.0.0.1:{port}")]);
        if let Some(authority) = authority {
            command.args(["-Verify", "1", "-verify_return_error", "-CAfile", authority]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self(child, port);
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "openssl does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .current_dir(dir)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An authority, and a certificate of it for `name`: `name.pem` and `name.key`.
fn certificates(dir: &Path) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let authority = [
        "req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "9", "-subj", "/CN=ca",
    ];
    openssl(dir, &[&authority[..], &key].concat());
    for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
        let (request, certificate, file) = (format!("{name}.csr"), format!("{name}.pem"), format!("{name}.key"));
        let subject = format!("/CN={name}");
        let ask = ["req", "-keyout", &file, "-out", &request, "-subj", &subject];
        openssl(dir, &[&ask[..], &key].concat());
        let extensions = format!("{name}.ext");
        let text = format!("subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(dir.join(&extensions), text).unwrap();
        let sign = [
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
        ];
        openssl(
            dir,
            &[
                &sign[..],
                &["-out", &certificate, "-days", "9", "-extfile", &extensions],
            ]
            .concat(),
        );
    }
}

fn read(dir: &Path, name: &str) -> String {
    let mut text = String::new();
    std::fs::File::open(dir.join(name))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn ask(dir: &Path, server: &Server, access: Access) -> Result<String, SourceError> {
    let limits = FetchLimits {
        idle: Duration::from_secs(5),
        ..FetchLimits::default()
    };
    let charts = Charts::new(dir.join("cache"), limits);
    let web = Chart {
        repository: ChartRepository::parse(&format!("https://127.0.0.1:{}", server.1)).unwrap(),
        name: "web".into(),
        access,
    };
    charts.resolve(&web, "", FetchPolicy::Fetch).map(|found| found.version)
}

#[test]
fn authorities_and_client_certificates() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: there is no openssl");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    certificates(dir);
    let digest = "0".repeat(64);
    let index =
        format!("apiVersion: v1\nentries: {{web: [{{name: web, version: 1.0.0, urls: [w], digest: '{digest}'}}]}}\n");
    std::fs::write(dir.join("index.yaml"), index).unwrap();
    let trusting = Access {
        authorities: read(dir, "ca.pem"),
        ..Access::default()
    };
    let certificate = ClientCertificate {
        certificate: read(dir, "client.pem"),
        key: read(dir, "client.key").into(),
    };
    let open = Server::start(dir, None);
    let error = ask(dir, &open, Access::default()).unwrap_err();
    assert!(error.name() == "Tls" && !error.is_transient(), "{error}");
    assert_eq!(ask(dir, &open, trusting.clone()).unwrap(), "1.0.0");
    let careless = Access {
        insecure: true,
        ..Access::default()
    };
    assert_eq!(ask(dir, &open, careless).unwrap(), "1.0.0");
    let strict = Server::start(dir, Some("ca.pem"));
    let error = ask(dir, &strict, trusting.clone()).unwrap_err();
    assert!(matches!(error.name(), "Tls" | "Unreachable"), "{error}");
    let known = Access {
        client_certificate: Some(certificate.clone()),
        ..trusting.clone()
    };
    assert_eq!(ask(dir, &strict, known).unwrap(), "1.0.0");
    certificates_that_are_none(dir, &strict, &certificate);
}

fn certificates_that_are_none(dir: &Path, server: &Server, certificate: &ClientCertificate) {
    for (authorities, certificate, says) in [
        (
            "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----",
            None,
            "authorit",
        ),
        ("", Some(("hunter2", "hunter2")), "not PEM"),
        ("", Some((certificate.certificate.as_str(), "hunter2")), "not PEM"),
    ] {
        let odd = Access {
            authorities: authorities.to_owned(),
            client_certificate: certificate.map(|(certificate, key)| ClientCertificate {
                certificate: certificate.to_owned(),
                key: key.into(),
            }),
            ..Access::default()
        };
        let error = ask(dir, server, odd).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
    }
}
