//! HTTP for people and machines: the dashboard and its JSON twin, live updates, webhooks in, probes and metrics.
//!
//! The problem: during an incident forty people stare at the same page. So the server owns the view: it renders the whole page, keeps
//! what a tab has last been sent, and sends only what changed, over one event stream a tab.
//!
//! Invariants:
//! - Rendering a page at a later moment equals rendering it earlier and applying every patch sent since ([`live`]).
//! - Nothing here decides or writes to a cluster: actions are passed to the [`Backend`].
//! - A webhook can cause a refresh and nothing else: its payload names neither the URL that is fetched nor the credentials.
//! - No inline script, no inline style, nothing from elsewhere.
//!
//! Deliberately absent: authentication. The server is for a loopback address or a proxy that authenticates; actions are served only
//! where [`Options::allow_actions`] says so.

mod actions;
mod api;
mod assets;
mod backend;
mod error;
pub mod live;
pub mod pages;
mod probes;
mod safe_url;
mod stream;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use capstan_model::SecretBytes;

pub use backend::{Backend, Snapshot};
pub use webhook::{PushedRepositories, WebhookError, pushed_repositories};

/// How the server behaves.
#[derive(Clone, Default)]
pub struct Options {
    /// Serve actions (refresh, sync, terminate). Only where nobody else can reach the port.
    pub allow_actions: bool,
    /// Secret that webhooks are signed with (`X-Hub-Signature-256`, or GitLab's token header).
    pub webhook_secret: Option<SecretBytes>,
    /// Accept webhooks without a signature when there is no secret.
    pub unsigned_webhooks: bool,
}

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) options: Arc<Options>,
}

/// The routes over a backend.
pub fn router(backend: Arc<dyn Backend>, options: Options) -> Router {
    let context = Context {
        backend,
        options: Arc::new(options),
    };
    Router::new()
        .route("/", get(pages::applications))
        .route("/applications", get(pages::applications))
        .route("/applications/{namespace}/{name}", get(pages::application))
        .route("/stream", get(stream::stream))
        .route("/api/v1/applications", get(api::applications))
        .route("/api/v1/applications/{namespace}/{name}", get(api::application))
        .route("/api/v1/applications/{namespace}/{name}/{action}", post(actions::act))
        .route("/api/v1/journal", get(api::journal))
        .route("/api/webhook", post(webhook::receive))
        .route("/livez", get(probes::live))
        .route("/healthz", get(probes::live))
        .route("/readyz", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .route("/assets/{name}", get(assets::asset))
        .layer(axum::extract::DefaultBodyLimit::max(webhook::LIMIT))
        .layer(middleware::from_fn(harden))
        .with_state(context)
}

/// Headers that every answer carries.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
