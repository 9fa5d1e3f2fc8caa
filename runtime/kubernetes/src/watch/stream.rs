//! The lines of a watch.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;

use crate::request::{ApiStatus, RequestError};

/// One line of a watch.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    Changed(Box<Value>),
    Gone(Box<Value>),
    Bookmark(Box<Value>),
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    object: Box<Value>,
}

/// Longer lines are no objects: etcd holds none of this size.
const LONGEST_LINE: usize = 64 << 20;

/// An open watch.
pub(crate) struct Lines<B> {
    body: B,
    buffer: BytesMut,
    /// Bytes of `buffer` that are known to hold no line end.
    searched: usize,
    url: String,
    silence: Duration,
}

impl<B> Lines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    /// `silence` is the longest time without any byte, after which the connection counts as dead.
    pub(crate) fn new(body: B, url: String, silence: Duration) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
            url,
            silence,
        }
    }

    /// The next line; `None` when the server ended the watch in order.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, RequestError> {
        loop {
            if let Some(line) = self.take_line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return self.parse(&line).map(Some);
            }
            let Ok(frame) = tokio::time::timeout(self.silence, self.body.frame()).await else {
                return Err(self.broken(format!("nothing for {} s", self.silence.as_secs())));
            };
            match frame {
                // An unfinished line at the end is a line that was cut: the object comes again when the watch goes on.
                None => return Ok(None),
                Some(Err(error)) => return Err(self.broken(error.to_string())),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                    if self.buffer.len() > LONGEST_LINE {
                        return Err(self.broken(format!("a line of more than {LONGEST_LINE} bytes")));
                    }
                }
            }
        }
    }

    fn take_line(&mut self) -> Option<BytesMut> {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = found.map(|offset| self.searched + offset) else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(end);
        self.buffer.advance(1);
        self.searched = 0;
        Some(line)
    }

    fn parse(&self, line: &[u8]) -> Result<Line, RequestError> {
        let envelope: Envelope = serde_json::from_slice(line).map_err(|error| RequestError::Malformed {
            url: self.url.clone(),
            reason: format!("a line of the watch is no event: {error}"),
        })?;
        match envelope.kind.as_str() {
            "ADDED" | "MODIFIED" => Ok(Line::Changed(envelope.object)),
            "DELETED" => Ok(Line::Gone(envelope.object)),
            "BOOKMARK" => Ok(Line::Bookmark(envelope.object)),
            "ERROR" => Err(RequestError::Status(ApiStatus::of_value(&envelope.object, 500, None))),
            other => Err(RequestError::Malformed {
                url: self.url.clone(),
                reason: format!("an event of type {other:?}"),
            }),
        }
    }

    fn broken(&self, reason: String) -> RequestError {
        RequestError::Unanswered {
            url: self.url.clone(),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &'static str) -> Vec<Result<Option<Line>, RequestError>> {
        // One byte a frame: every cut there can be.
        let frames = text
            .bytes()
            .map(|byte| Ok::<_, std::io::Error>(http_body::Frame::data(Bytes::from(vec![byte]))));
        let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
        let mut lines = Lines::new(body, "/w".into(), Duration::from_secs(1));
        let mut all = Vec::new();
        loop {
            let next = lines.next().await;
            let ends = !matches!(next, Ok(Some(_)));
            all.push(next);
            if ends {
                return all;
            }
        }
    }

    #[tokio::test]
    async fn lines_are_found_whatever_the_frames() {
        let all = lines(
            "{\"type\":\"ADDED\",\"object\":{\"a\":\"ü\"}}\n\n{\"type\":\"BOOKMARK\",\"object\":{}}\n{\"type\":\"MODI",
        )
        .await;
        assert!(matches!(&all[0], Ok(Some(Line::Changed(object))) if object["a"] == "ü"));
        assert!(matches!(&all[1], Ok(Some(Line::Bookmark(_)))));
        assert!(matches!(&all[2], Ok(None)));
    }

    #[tokio::test]
    async fn an_error_in_the_stream_is_the_error_of_the_watch() {
        let all = lines("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}}\n").await;
        assert!(matches!(&all[0], Err(error) if error.is_expired()), "{all:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends() {
        let body = http_body_util::StreamBody::new(futures::stream::pending::<
            Result<http_body::Frame<Bytes>, std::io::Error>,
        >());
        let mut lines = Lines::new(body, "/w".into(), Duration::from_secs(300));
        assert!(matches!(lines.next().await, Err(RequestError::Unanswered { .. })));
    }
}
