//! The body of an answer: bytes that are there, or the stream of a watch.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

use super::Cluster;
use crate::world::WatchPoll;

/// How many bytes of events go into one frame when many are waiting.
const FRAME: usize = 64 * 1024;

/// The body of an answer.
pub struct AnswerBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Events(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl AnswerBody {
    /// Bytes that are there.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes)))
    }

    /// The events of a watch until it ends. Dropping the body closes the watch.
    pub(super) fn events(cluster: Cluster, id: u64) -> Self {
        let changed = cluster.subscribe();
        let open = OpenWatch { cluster, id, changed };
        Self(Kind::Events(Box::pin(futures::stream::unfold(open, next_frame))))
    }
}

struct OpenWatch {
    cluster: Cluster,
    id: u64,
    changed: watch::Receiver<u64>,
}

impl Drop for OpenWatch {
    fn drop(&mut self) {
        self.cluster.close_watch(self.id);
    }
}

/// The events that are waiting, or the next one that comes.
async fn next_frame(mut open: OpenWatch) -> Option<(Bytes, OpenWatch)> {
    let mut frame = Vec::new();
    loop {
        open.changed.mark_unchanged();
        match open.cluster.poll_watch(open.id) {
            WatchPoll::Event(event) => {
                frame.extend_from_slice(event.to_string().as_bytes());
                frame.push(b'\n');
                if frame.len() < FRAME {
                    continue;
                }
            }
            WatchPoll::Pending(until) if frame.is_empty() => {
                let wait = until.since(open.cluster.now());
                tokio::select! {
                    biased;
                    seen = open.changed.changed() => if seen.is_err() { return None },
                    () = tokio::time::sleep(wait) => {}
                }
                continue;
            }
            WatchPoll::Closed if frame.is_empty() => return None,
            WatchPoll::Pending(_) | WatchPoll::Closed => {}
        }
        return Some((Bytes::from(frame), open));
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().filter(|b| !b.is_empty()).map(|b| Ok(Frame::data(b)))),
            Kind::Events(stream) => stream
                .as_mut()
                .poll_next(context)
                .map(|next| next.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Events(_) => SizeHint::default(),
        }
    }
}
