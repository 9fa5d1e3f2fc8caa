//! Probes and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::Context;

/// `GET /livez`: the process answers. Never depends on Git or a cluster.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the first complete lists have been read.
pub(crate) async fn ready(State(context): State<Context>) -> Response {
    match context.backend.is_ready() {
        true => "ok\n".into_response(),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "waiting for the first lists of applications and live objects\n",
        )
            .into_response(),
    }
}

/// `GET /metrics`: OpenMetrics text.
pub(crate) async fn metrics(State(context): State<Context>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], context.backend.metrics()).into_response()
}
