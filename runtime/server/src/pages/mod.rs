//! The dashboard's pages: whole HTML, usable without scripts, linkable.
//!
//! Every page is a frame around containers of pieces ([`crate::live`]): what is rendered here first is what the stream patches later.

mod application;
mod applications;
pub(crate) mod parts;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use capstan_engine::journal::JournalEntry;
use capstan_model::ApplicationId;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub use applications::Filter;

use crate::backend::Snapshot;
use crate::error::RequestError;
use crate::live::Page;
use crate::{Context, api};

/// What a tab looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The list.
    Applications(Filter),
    /// One application.
    Application(ApplicationId),
}

/// The live part of a view, as of a snapshot.
pub fn page(view: &View, snapshot: &Snapshot, journal: &[Arc<JournalEntry>]) -> Page {
    match view {
        View::Applications(filter) => applications::pieces(filter, snapshot),
        View::Application(id) => match snapshot.applications.get(id) {
            Some(application) => application::pieces(application, journal),
            None => application::gone(id),
        },
    }
}

/// `GET /`: the list.
pub(crate) async fn applications(
    State(context): State<Context>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if wants_json(&headers) {
        return api::applications(State(context)).await;
    }
    let filter = Filter::from_query(&query);
    let snapshot = context.backend.subscribe().borrow().clone();
    let stream = format!("/stream?view=applications&{}", filter.to_query());
    let live = page(&View::Applications(filter.clone()), &snapshot, &[]);
    frame("Applications", &stream, &applications::body(&filter, &live)).into_response()
}

/// `GET /applications/NAMESPACE/NAME`: one application.
pub(crate) async fn application(
    State(context): State<Context>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, RequestError> {
    if wants_json(&headers) {
        return api::application(State(context), Path((namespace, name))).await;
    }
    let id = ApplicationId::new(namespace, name);
    let snapshot = context.backend.subscribe().borrow().clone();
    let journal = context.backend.journal_after(0);
    let stream = format!(
        "/stream?view=application&namespace={}&name={}",
        query_escape(&id.namespace),
        query_escape(&id.name)
    );
    let live = page(&View::Application(id.clone()), &snapshot, &journal);
    let body = application::body(&id, &live, context.options.allow_actions);
    Ok(frame(&id.name, &stream, &body).into_response())
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    accept.starts_with("application/json")
}

/// The pieces of a container.
fn container(live: &Page, id: &str) -> Markup {
    let pieces = live.get(id).into_iter().flatten();
    html! { @for piece in pieces { (PreEscaped(&piece.html)) } }
}

fn frame(title: &str, stream: &str, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Capstan" }
                link rel="icon" href="/assets/capstan.svg";
                link rel="stylesheet" href="/assets/capstan.css";
                script type="module" src="/assets/capstan.js" {}
            }
            body data-stream=(stream) {
                header.top {
                    a.brand href="/" { img src="/assets/capstan.svg" alt="" width="22" height="22"; "Capstan" }
                    span #connection role="status" aria-live="polite" {}
                }
                main { (body) }
            }
        }
    };
    Html(page.into_string())
}

/// Escapes a value of a query string.
pub(crate) fn query_escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}
