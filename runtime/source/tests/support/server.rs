//! `git http-backend` behind HTTP, and servers that misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use capstan_source::RepoUrl;

use super::command;

/// How the server answers.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As Git does.
    Git,
    /// As Git does, for who knows this `Authorization` header.
    Private(String),
    /// Takes the request and never answers.
    Hang,
    /// Begins an answer, then sends a byte now and then for ever.
    Drip,
    /// This status.
    Status(u16),
    /// Sends everybody to another base URL.
    Redirect(String),
    /// A list of refs without end.
    Endless,
    /// The pack ends in the middle.
    Truncated,
}

/// What was asked.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicUsize,
    pub(crate) packs: AtomicUsize,
    /// Every `Authorization` header that came.
    pub(crate) authorizations: Mutex<Vec<String>>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) manner: Arc<Mutex<Manner>>,
}

impl Server {
    /// Serves the repositories below `root` until the process ends.
    pub(crate) fn start(root: &Path, manner: Manner) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (counters, manner) = (Arc::new(Counters::default()), Arc::new(Mutex::new(manner)));
        let (root, shared, how) = (root.to_owned(), Arc::clone(&counters), Arc::clone(&manner));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, shared, how) = (root.clone(), Arc::clone(&shared), Arc::clone(&how));
                std::thread::spawn(move || {
                    let manner = how.lock().expect("not poisoned").clone();
                    // Clients that hang up are part of the tests.
                    let _ = answer(stream, &root, &shared, &manner);
                });
            }
        });
        Self {
            address,
            counters,
            manner,
        }
    }

    pub(crate) fn url(&self) -> RepoUrl {
        RepoUrl::parse(&format!("http://{}/infra.git", self.address)).expect("a valid URL")
    }

    pub(crate) fn requests(&self) -> usize {
        self.counters.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn packs(&self) -> usize {
        self.counters.packs.load(Ordering::SeqCst)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().expect("not poisoned") = manner;
    }
}

#[derive(Debug, Default)]
struct Request {
    method: String,
    path: String,
    query: String,
    content_type: String,
    protocol: String,
    authorization: String,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        ..Request::default()
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "content-type" => request.content_type = value,
            "git-protocol" => request.protocol = value,
            "authorization" => request.authorization = value,
            _ => {}
        }
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(request)
}

fn answer(mut stream: TcpStream, root: &Path, counters: &Counters, manner: &Manner) -> std::io::Result<()> {
    let Ok(request) = read_request(&stream) else {
        // Not HTTP: the beginning of TLS.
        return stream.write_all(b"HTTP/1.1 400 X\r\nConnection: close\r\n\r\n");
    };
    counters.requests.fetch_add(1, Ordering::SeqCst);
    let is_pack = request.body.windows(13).any(|window| window == b"command=fetch");
    if is_pack {
        counters.packs.fetch_add(1, Ordering::SeqCst);
    }
    if !request.authorization.is_empty() {
        counters
            .authorizations
            .lock()
            .expect("not poisoned")
            .push(request.authorization.clone());
    }
    match manner {
        Manner::Hang => std::thread::sleep(Duration::from_secs(120)),
        Manner::Drip => drip(&mut stream, Duration::from_millis(20))?,
        Manner::Endless => drip(&mut stream, Duration::ZERO)?,
        Manner::Status(status) => write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?,
        Manner::Redirect(base) => {
            let rest = request.path.strip_prefix("/infra.git").unwrap_or_default();
            let location = format!("{base}{rest}?{}", request.query);
            write!(
                stream,
                "HTTP/1.1 302 X\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )?;
        }
        Manner::Private(expected) if request.authorization != *expected => {
            let challenge = "WWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            write!(stream, "HTTP/1.1 401 X\r\n{challenge}")?;
        }
        Manner::Git | Manner::Private(_) => respond(&mut stream, &backend(root, &request)?, usize::MAX)?,
        Manner::Truncated => {
            let output = backend(root, &request)?;
            let keep = if is_pack { output.len() - 100 } else { usize::MAX };
            respond(&mut stream, &output, keep)?;
        }
    }
    Ok(())
}

/// The beginning of an advertisement of refs, then line after line.
fn drip(stream: &mut TcpStream, pause: Duration) -> std::io::Result<()> {
    let kind = "application/x-git-upload-pack-advertisement";
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
    )?;
    write!(stream, "001e# service=git-upload-pack\n0000")?;
    for number in 0_u64.. {
        let line = format!("{number:040x} refs/heads/branch-{number:012}");
        let line = if number == 0 {
            format!("{line}\0multi_ack\n")
        } else {
            format!("{line}\n")
        };
        write!(stream, "{:04x}{line}", line.len() + 4)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

/// Runs `git http-backend` and returns what it says, CGI headers included.
fn backend(root: &Path, request: &Request) -> std::io::Result<Vec<u8>> {
    let mut child = command(root)
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", PathBuf::from(root))
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", &request.content_type)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("GIT_PROTOCOL", &request.protocol)
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().expect("piped");
    input.write_all(&request.body)?;
    drop(input);
    Ok(child.wait_with_output()?.stdout)
}

/// From CGI to HTTP; only the first `keep` bytes of the output, while the whole is promised.
fn respond(stream: &mut TcpStream, output: &[u8], keep: usize) -> std::io::Result<()> {
    let end = output
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(output.len());
    let (headers, body) = (
        String::from_utf8_lossy(&output[..end]),
        &output[(end + 4).min(output.len())..],
    );
    let status = headers
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK")
        .to_owned();
    let headers: Vec<&str> = headers.lines().filter(|line| !line.starts_with("Status: ")).collect();
    write!(stream, "HTTP/1.1 {status}\r\n{}\r\n", headers.join("\r\n"))?;
    write!(stream, "Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body[..body.len().min(keep.saturating_sub(end + 4))])?;
    stream.flush()
}
