//! A stop-watch and a byte counter around the HTTP that gix speaks, so that neither a server that hangs nor one that drips nor one that
//! never stops can hold us.
//!
//! The HTTP client itself ends a wait without any byte (`Limits::idle`); here the whole exchange, its pace and its size are bounded.

use std::any::Any;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, reqwest::Remote,
};

/// What one exchange may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) total: Duration,
    /// Without a byte; kept by the HTTP client, here for its error.
    pub(crate) idle: Duration,
    pub(crate) bytes: u64,
    /// What the bytes are, for the error.
    pub(crate) what: &'static str,
    /// Least bytes in every window, if a pace is asked for.
    pub(crate) floor: Option<(u64, Duration)>,
}

impl Budget {
    /// Nothing is received under it.
    pub(crate) fn none() -> Self {
        Self {
            total: Duration::ZERO,
            idle: Duration::ZERO,
            bytes: 0,
            what: "bytes",
            floor: None,
        }
    }
}

/// Which bound was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Time {
        limit: Duration,
        received: u64,
    },
    Bytes {
        what: &'static str,
        measured: u64,
        limit: u64,
    },
}

#[derive(Debug)]
struct Progress {
    bytes: u64,
    window_start: Instant,
    window_bytes: u64,
    exceeded: Option<Exceeded>,
}

/// Counts one exchange.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    start: Instant,
    progress: Mutex<Progress>,
}

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        let start = Instant::now();
        let progress = Mutex::new(Progress {
            bytes: 0,
            window_start: start,
            window_bytes: 0,
            exceeded: None,
        });
        Self {
            budget,
            start,
            progress,
        }
    }

    /// Which bound ended the exchange, if one did.
    pub(crate) fn exceeded(&self) -> Option<Exceeded> {
        self.lock().exceeded
    }

    /// How long the HTTP client waits for a byte.
    pub(crate) fn idle(&self) -> Duration {
        self.budget.idle
    }

    /// Bytes received so far.
    pub(crate) fn received(&self) -> u64 {
        self.lock().bytes
    }

    /// Counts bytes that came; an error when a bound is passed.
    pub(crate) fn count(&self, bytes: usize) -> io::Result<()> {
        let mut progress = self.lock();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        progress.bytes = progress.bytes.saturating_add(bytes);
        progress.window_bytes = progress.window_bytes.saturating_add(bytes);
        let exceeded = self.check(&mut progress);
        progress.exceeded = progress.exceeded.or(exceeded);
        match progress.exceeded {
            Some(Exceeded::Time { .. }) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the time for this exchange is over",
            )),
            Some(Exceeded::Bytes { .. }) => Err(io::Error::new(io::ErrorKind::FileTooLarge, "the answer is too large")),
            None => Ok(()),
        }
    }

    fn check(&self, progress: &mut Progress) -> Option<Exceeded> {
        let received = progress.bytes;
        if received > self.budget.bytes {
            return Some(Exceeded::Bytes {
                what: self.budget.what,
                measured: received,
                limit: self.budget.bytes,
            });
        }
        if self.start.elapsed() > self.budget.total {
            return Some(Exceeded::Time {
                limit: self.budget.total,
                received,
            });
        }
        let (floor, window) = self.budget.floor?;
        if progress.window_start.elapsed() <= window {
            return None;
        }
        if progress.window_bytes < floor {
            return Some(Exceeded::Time {
                limit: window,
                received,
            });
        }
        progress.window_start = Instant::now();
        progress.window_bytes = 0;
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// gix's HTTP client, metered.
pub(crate) struct MeteredHttp {
    inner: Remote,
    meter: Arc<Meter>,
}

impl MeteredHttp {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self {
            inner: Remote::default(),
            meter,
        }
    }

    fn reader<R>(&self, inner: R) -> MeteredReader<R> {
        MeteredReader {
            inner,
            meter: Arc::clone(&self.meter),
        }
    }
}

impl Http for MeteredHttp {
    type Headers = MeteredReader<<Remote as Http>::Headers>;
    type ResponseBody = MeteredReader<<Remote as Http>::ResponseBody>;
    type PostBody = <Remote as Http>::PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let response = self.inner.get(url, base_url, headers)?;
        Ok(GetResponse {
            headers: self.reader(response.headers),
            body: self.reader(response.body),
        })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let response = self.inner.post(url, base_url, headers, body)?;
        Ok(PostResponse {
            post_body: response.post_body,
            headers: self.reader(response.headers),
            body: self.reader(response.body),
        })
    }

    fn configure(&mut self, config: &dyn Any) -> gix::Result {
        self.inner.configure(config)
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.inner.redirected_base_url()
    }
}

/// A reader that counts what passes.
pub(crate) struct MeteredReader<R> {
    inner: R,
    meter: Arc<Meter>,
}

impl<R: Read> Read for MeteredReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.meter.count(0)?;
        let count = self.inner.read(buffer)?;
        self.meter.count(count)?;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for MeteredReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.meter.count(0)?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // An exceeded bound is remembered and told by the next read.
        let _ = self.meter.count(count);
        self.inner.consume(count);
    }
}
