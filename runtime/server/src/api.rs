//! The JSON twin of every page, from the same views.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use capstan_model::ApplicationId;
use serde::Deserialize;
use serde_json::json;

use crate::Context;
use crate::error::RequestError;

/// `GET /api/v1/applications`: all applications, without their objects.
pub(crate) async fn applications(State(context): State<Context>) -> Response {
    let snapshot = context.backend.subscribe().borrow().clone();
    let items: Vec<_> = snapshot
        .applications
        .values()
        .map(|view| {
            let mut item = json!(&**view);
            if let Some(fields) = item.as_object_mut() {
                fields.remove("resources");
            }
            item
        })
        .collect();
    Json(json!({"revision": snapshot.revision, "items": items})).into_response()
}

/// `GET /api/v1/applications/NAMESPACE/NAME`: one application, whole.
pub(crate) async fn application(
    State(context): State<Context>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, RequestError> {
    let id = ApplicationId::new(namespace, name);
    let snapshot = context.backend.subscribe().borrow().clone();
    let view = snapshot
        .applications
        .get(&id)
        .ok_or_else(|| RequestError::NoApplication(id.to_string()))?;
    Ok(Json(json!(&**view)).into_response())
}

#[derive(Debug, Deserialize)]
pub(crate) struct JournalQuery {
    #[serde(default)]
    after: u64,
}

/// `GET /api/v1/journal?after=N`: what happened after entry N, oldest first.
pub(crate) async fn journal(State(context): State<Context>, Query(query): Query<JournalQuery>) -> Response {
    Json(json!({"items": context.backend.journal_after(query.after)})).into_response()
}
