//! Actions on an application. They go the way of everything: queued for the engine, which decides.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use capstan_model::{ApplicationId, Operation, OperationInitiator, SyncOperation};
use serde_json::json;

use crate::Context;
use crate::error::RequestError;

/// `POST /api/v1/applications/NAMESPACE/NAME/ACTION`. `sync` takes an optional `operation.sync` as its body.
pub(crate) async fn act(
    State(context): State<Context>,
    Path((namespace, name, action)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, RequestError> {
    if !context.options.allow_actions {
        return Err(RequestError::ActionsOff);
    }
    same_site(&headers)?;
    let id = ApplicationId::new(namespace, name);
    if !context.backend.subscribe().borrow().applications.contains_key(&id) {
        return Err(RequestError::NoApplication(id.to_string()));
    }
    match action.as_str() {
        "refresh" => context.backend.refresh(&id, false),
        "hard-refresh" => context.backend.refresh(&id, true),
        "terminate" => context.backend.terminate(&id, "dashboard"),
        "sync" => context.backend.sync(&id, operation(&body)?),
        _ => return Err(RequestError::NoAction(action)),
    }
    Ok(Json(json!({"queued": action, "application": id.to_string()})).into_response())
}

fn operation(body: &[u8]) -> Result<Operation, RequestError> {
    let sync: SyncOperation = match body.trim_ascii() {
        b"" => SyncOperation::default(),
        text => {
            serde_json::from_slice(text).map_err(|error| RequestError::Malformed(format!("operation.sync: {error}")))?
        }
    };
    let initiated_by = OperationInitiator {
        username: "dashboard".into(),
        automated: false,
    };
    Ok(Operation {
        initiated_by,
        sync: Some(sync),
        ..Operation::default()
    })
}

/// A browser names the page's own site; what is not a browser names none.
fn same_site(headers: &HeaderMap) -> Result<(), RequestError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // Actions are served on loopback addresses only. Another name for them is a page that made its own name point here.
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "localhost" | "[::1]") && !name.starts_with("127.") {
        return Err(RequestError::CrossSite(host.to_owned()));
    }
    let Some(origin) = text(header::ORIGIN) else {
        return Ok(());
    };
    let same = origin.split_once("://").is_some_and(|(_, rest)| rest == host);
    if same {
        Ok(())
    } else {
        Err(RequestError::CrossSite(origin.to_owned()))
    }
}
