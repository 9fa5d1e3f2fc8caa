//! The dashboard's own files, inside the binary.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// `GET /assets/NAME`.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "capstan.css" => ("text/css; charset=utf-8", include_str!("../assets/capstan.css")),
        "capstan.js" => ("text/javascript; charset=utf-8", include_str!("../assets/capstan.js")),
        "capstan.svg" => ("image/svg+xml", include_str!("../assets/capstan.svg")),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
        text,
    )
        .into_response()
}
