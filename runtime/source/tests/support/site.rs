//! A web server on a loopback port that answers as a test says, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

/// What came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// What goes back.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Status, headers, body.
    Whole(u16, Vec<(String, String)>, Vec<u8>),
    /// Promises this many bytes more than it sends.
    CutOff(Vec<u8>, usize),
    /// Takes the request and never answers.
    Hang,
    /// Begins, then sends a byte every so often for ever.
    Drip(Duration),
    /// Sends for ever, as fast as it can.
    Endless,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, Vec::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Whole(status, Vec::new(), Vec::new())
    }

    pub(crate) fn redirect(to: impl Into<String>) -> Self {
        Self::Whole(302, vec![("Location".to_owned(), to.into())], Vec::new())
    }

    pub(crate) fn with(self, name: &str, value: impl Into<String>) -> Self {
        match self {
            Self::Whole(status, mut headers, body) => {
                headers.push((name.to_owned(), value.into()));
                Self::Whole(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    handler: Arc<Mutex<Arc<Handler>>>,
}

impl Site {
    /// Answers until the process ends.
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Mutex<Arc<Handler>>> = Arc::new(Mutex::new(Arc::new(handler)));
        let (seen, current) = (Arc::clone(&requests), Arc::clone(&handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, handler) = (Arc::clone(&seen), Arc::clone(&current.lock().expect("not poisoned")));
                std::thread::spawn(move || {
                    // Clients that hang up are part of the tests.
                    let _ = answer(stream, &seen, &*handler);
                });
            }
        });
        Self {
            address,
            requests,
            handler,
        }
    }

    /// Serves the files of a folder, to who knows this `Authorization` (everybody when empty), with their digests as entity tags.
    pub(crate) fn of_files(dir: &Path, authorization: &str) -> Self {
        let (dir, wanted) = (dir.to_owned(), authorization.to_owned());
        Self::start(move |request| {
            if request.header("authorization") != wanted {
                return Reply::status(401).with("WWW-Authenticate", "Basic realm=\"charts\"");
            }
            let Ok(bytes) = std::fs::read(dir.join(request.path.trim_start_matches('/'))) else {
                return Reply::status(404);
            };
            let tag = format!("\"{}\"", &capstan_source::Digest::of(&bytes).hex()[..16]);
            match request.header("if-none-match") == tag {
                true => Reply::status(304).with("ETag", tag),
                false => Reply::ok(bytes).with("ETag", tag),
            }
        })
    }

    pub(crate) fn behave(&self, handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        *self.handler.lock().expect("not poisoned") = Arc::new(handler);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }

    pub(crate) fn asked_for(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.path == path).count()
    }
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<Request>>, handler: &Handler) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        ..Request::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        let name = name.to_ascii_lowercase();
        request.headers.insert(name, value.trim().to_owned());
    }
    seen.lock().expect("not poisoned").push(request.clone());
    let is_head = request.method == "HEAD";
    write(stream, handler(&request), is_head)
}

fn write(mut stream: TcpStream, reply: Reply, is_head: bool) -> std::io::Result<()> {
    match reply {
        Reply::Whole(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            if status != 304 {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            write!(stream, "{head}\r\n")?;
            if !is_head {
                stream.write_all(&body)?;
            }
        }
        Reply::CutOff(body, missing) => {
            let length = body.len() + missing;
            write!(
                stream,
                "HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(&body)?;
        }
        Reply::Hang => std::thread::sleep(Duration::from_secs(120)),
        Reply::Drip(pause) => {
            write!(stream, "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n")?;
            loop {
                stream.write_all(b"#")?;
                std::thread::sleep(pause);
            }
        }
        Reply::Endless => {
            write!(
                stream,
                "HTTP/1.1 200 X\r\nConnection: close\r\n\r\napiVersion: v1\nentries:\n"
            )?;
            loop {
                stream.write_all(&[b'#'; 4096])?;
            }
        }
    }
    stream.flush()
}
