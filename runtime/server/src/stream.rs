//! `GET /stream`: the one event stream of a tab.
//!
//! The server remembers what it last sent for the view and sends only what changed, at most four times a second. A tab that comes back
//! has no memory here: it gets one frame that brings the page it shows to the present, by replacing every piece.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use capstan_model::ApplicationId;
use futures::Stream;
use tokio::sync::watch;

use crate::Context;
use crate::backend::Snapshot;
use crate::live::{Page, difference};
use crate::pages::{Filter, View, page};

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_millis(250);
/// How often a silent stream says that it lives, so that proxies keep it.
const COMMENT: Duration = Duration::from_secs(15);

pub(crate) async fn stream(State(context): State<Context>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let field = |name: &str| query.get(name).cloned().unwrap_or_default();
    let view = match field("view").as_str() {
        "application" => View::Application(ApplicationId::new(field("namespace"), field("name"))),
        _ => View::Applications(Filter::from_query(&query)),
    };
    let sse = Sse::new(frames(context, view)).keep_alive(KeepAlive::new().interval(COMMENT));
    let mut response = sse.into_response();
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

struct Tab {
    context: Context,
    view: View,
    snapshots: watch::Receiver<Snapshot>,
    sent: Option<Page>,
}

fn frames(context: Context, view: View) -> impl Stream<Item = Result<Event, Infallible>> {
    let snapshots = context.backend.subscribe();
    let tab = Tab {
        context,
        view,
        snapshots,
        sent: None,
    };
    futures::stream::unfold(tab, |mut tab| async move {
        loop {
            if tab.sent.is_some() {
                tab.snapshots.changed().await.ok()?;
                tokio::time::sleep(FRAME).await;
            }
            if let Some(event) = tab.frame() {
                return Some((Ok(event), tab));
            }
        }
    })
}

impl Tab {
    /// What is new since the last frame; `None` when nothing the view shows has changed.
    fn frame(&mut self) -> Option<Event> {
        let snapshot = self.snapshots.borrow_and_update().clone();
        let journal = match self.view {
            View::Applications(_) => Vec::new(),
            View::Application(_) => self.context.backend.journal_after(0),
        };
        let now = page(&self.view, &snapshot, &journal);
        let id = snapshot.revision.to_string();
        let event = match &self.sent {
            None => {
                let containers: BTreeMap<&String, Vec<[&str; 2]>> = now
                    .iter()
                    .map(|(name, pieces)| {
                        (
                            name,
                            pieces
                                .iter()
                                .map(|piece| [piece.id.as_str(), piece.html.as_str()])
                                .collect(),
                        )
                    })
                    .collect();
                Some(Event::default().event("page").id(id).json_data(&containers))
            }
            Some(sent) => {
                let patches = difference(sent, &now);
                (!patches.is_empty()).then(|| Event::default().event("patch").id(id).json_data(&patches))
            }
        };
        self.sent = Some(now);
        match event? {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::error!(%error, "a frame could not be encoded");
                None
            }
        }
    }
}
