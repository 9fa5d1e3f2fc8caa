//! Answers to requests that cannot be served.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// No such application.
    #[error("application {0} does not exist, or has not been read yet")]
    NoApplication(String),
    /// No such action.
    #[error("unknown action {0:?}: refresh, sync and terminate exist")]
    NoAction(String),
    /// Actions are off here.
    #[error(
        "actions are not served on this address: set the Application's `operation` field or its refresh annotation instead"
    )]
    ActionsOff,
    /// A browser sent it for another site.
    #[error("the request comes from {0}, another site")]
    CrossSite(String),
    /// The body is not what it must be.
    #[error("{0}")]
    Malformed(String),
}

impl RequestError {
    fn code(&self) -> StatusCode {
        match self {
            Self::NoApplication(_) | Self::NoAction(_) => StatusCode::NOT_FOUND,
            Self::ActionsOff | Self::CrossSite(_) => StatusCode::FORBIDDEN,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        (self.code(), Json(json!({"error": self.to_string()}))).into_response()
    }
}
