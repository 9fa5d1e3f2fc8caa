//! One request, its answer, and what a failure means.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use capstan_engine::event::WriteError;
use capstan_model::ServiceAccount;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;

use crate::observe::proves_absence;

/// What the API server said when it did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiStatus {
    /// HTTP status.
    pub code: u16,
    /// Such as `NotFound`, `Expired`; empty when the answer was no `Status` object.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Name of the object it is about; empty when it names none.
    pub object: String,
    /// Fields it complains about.
    pub fields: Vec<String>,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Why a request has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The server was not reached: nothing was carried out.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// Path that was asked for.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The request may have been carried out; no answer came.
    #[error("{url} gave no answer: {reason}")]
    Unanswered {
        /// Path that was asked for.
        url: String,
        /// A timeout, a reset.
        reason: String,
    },
    /// The server answered, and not with success.
    #[error("{}", .0.message)]
    Status(ApiStatus),
    /// The answer is not what the API promises.
    #[error("{url} answered with something else than expected: {reason}")]
    Malformed {
        /// Path that was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This replica does not lead any more, or leads anew: nothing was sent.
    #[error("nothing was written: this replica does not lead any more as it did when it was asked to")]
    Withheld,
    /// No request could be made of what was asked for.
    #[error("{reason}")]
    Impossible {
        /// Why.
        reason: String,
    },
}

impl RequestError {
    /// Label of metrics.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Unreachable { .. } => "unreachable".into(),
            Self::Unanswered { .. } => "unanswered".into(),
            Self::Status(status) => status.code.to_string(),
            Self::Malformed { .. } => "malformed".into(),
            Self::Withheld => "withheld".into(),
            Self::Impossible { .. } => "impossible".into(),
        }
    }

    /// Has the version asked for expired, so that only a new list helps?
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self, Self::Status(status) if status.code == 410 || status.reason == "Expired")
    }

    /// Did no server speak at all?
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unanswered { .. })
    }

    /// The named outcome of a write. A write that had no answer is unknown, and so is a gateway's word that it had none. That an object
    /// is not there is told by [`Self::about`] only.
    pub(crate) fn into_write_error(self) -> WriteError {
        let message = self.to_string();
        match self {
            Self::Unreachable { .. } | Self::Withheld => WriteError::Transient(message),
            Self::Unanswered { .. } | Self::Malformed { .. } => WriteError::OutcomeUnknown(message),
            Self::Impossible { .. } => WriteError::Invalid(message),
            Self::Status(status) => status.into_write_error(),
        }
    }

    /// The named outcome of a write of the object of this name: the API's word about the object itself proves that it is not there.
    pub(crate) fn about(self, name: &str) -> WriteError {
        match proves_absence(&self, name) {
            true => WriteError::NotFound(self.to_string()),
            false => self.into_write_error(),
        }
    }

    /// The named outcome of a read or a dry run: nothing can have changed, so nothing is unknown.
    pub(crate) fn into_read_error(self) -> WriteError {
        match self.into_write_error() {
            WriteError::OutcomeUnknown(message) => WriteError::Transient(message),
            other => other,
        }
    }
}

impl ApiStatus {
    fn into_write_error(self) -> WriteError {
        let Self {
            code,
            message,
            retry_after,
            ..
        } = self;
        match code {
            401 | 403 => WriteError::Forbidden(message),
            404 | 410 => WriteError::PathNotFound(message),
            409 => WriteError::Conflict(message),
            429 => WriteError::RateLimited { message, retry_after },
            // A timeout of the server or of a gateway before it: the write may have been committed.
            408 | 504 => WriteError::OutcomeUnknown(message),
            // 503 with Retry-After is the server asking for patience.
            503 if retry_after.is_some() => WriteError::RateLimited { message, retry_after },
            // How the API refuses a server-side apply of fields that its schema does not know or that have another type.
            500 if message.starts_with("failed to create typed patch object") => WriteError::Invalid(message),
            500.. => WriteError::Transient(message),
            _ => WriteError::Invalid(message),
        }
    }

    /// Of an answer.
    pub(crate) fn of(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let status = parsed.filter(|value| value.get("kind").and_then(Value::as_str) == Some("Status"));
        let header = headers
            .get(http::header::RETRY_AFTER)
            .and_then(|text| text.to_str().ok()?.parse().ok());
        match status {
            Some(value) => Self::of_value(&value, code.as_u16(), header),
            None => Self {
                code: code.as_u16(),
                reason: String::new(),
                message: format!("the API server answered {code}: {}", excerpt(body)),
                object: String::new(),
                fields: Vec::new(),
                retry_after: header.map(Duration::from_secs),
            },
        }
    }

    /// Of a `Status` object; `code` is used when it has none.
    pub(crate) fn of_value(value: &Value, code: u16, retry_after: Option<u64>) -> Self {
        let text = |pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
        let causes = value
            .pointer("/details/causes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        Self {
            code: number("/code")
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(code),
            reason: text("/reason"),
            message: text("/message"),
            object: text("/details/name"),
            fields: causes
                .filter_map(|cause| Some(cause.get("field")?.as_str()?.to_owned()))
                .collect(),
            retry_after: retry_after
                .or_else(|| number("/details/retryAfterSeconds").filter(|seconds| *seconds > 0))
                .map(Duration::from_secs),
        }
    }
}

/// One answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) body: Bytes,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) url: String,
    pub(crate) accept: &'static str,
    /// Media type and bytes.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
    /// User as whom it is asked; our own when absent.
    pub(crate) user: Option<String>,
}

pub(crate) const JSON: &str = "application/json";

impl Ask {
    pub(crate) fn read(url: String) -> Self {
        Self {
            method: Method::GET,
            url,
            accept: JSON,
            body: None,
            user: None,
        }
    }

    pub(crate) fn write(method: Method, url: String, media_type: &'static str, body: &Value) -> Self {
        Self {
            method,
            url,
            accept: JSON,
            body: Some((media_type, body.to_string().into_bytes())),
            user: None,
        }
    }

    /// The same, asked as a service account.
    pub(crate) fn acting_as(mut self, account: &ServiceAccount) -> Self {
        self.user = Some(account.to_string());
        self
    }

    fn request(self) -> Result<Request<Body>, RequestError> {
        let mut builder = Request::builder()
            .method(self.method)
            .uri(&self.url)
            .header(http::header::ACCEPT, self.accept);
        if let Some(user) = &self.user {
            builder = builder.header("Impersonate-User", user);
        }
        let bytes = match self.body {
            Some((media_type, bytes)) => {
                builder = builder.header(http::header::CONTENT_TYPE, media_type);
                bytes
            }
            None => Vec::new(),
        };
        builder
            .body(Body::from(bytes))
            .map_err(|error| RequestError::Impossible {
                reason: format!("no request can be made for {}: {error}", self.url),
            })
    }
}

/// Sends, and gives the answer's body as a stream once its head is there and is a success.
pub(crate) async fn open(client: &kube::Client, ask: Ask, deadline: Duration) -> Result<Body, RequestError> {
    let url = ask.url.clone();
    let request = ask.request()?;
    let response = match tokio::time::timeout(deadline, client.send(request)).await {
        Ok(sent) => sent.map_err(|error| connection_error(&url, &error))?,
        Err(_) => return Err(unanswered(url, format!("nothing within {} s", deadline.as_secs_f32()))),
    };
    if response.status().is_success() {
        return Ok(response.into_body());
    }
    let (head, body) = response.into_parts();
    let collected = tokio::time::timeout(deadline, body.collect()).await;
    let bytes = collected
        .ok()
        .and_then(Result::ok)
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    Err(RequestError::Status(ApiStatus::of(head.status, &head.headers, &bytes)))
}

/// Sends, and gives the whole answer if it is a success. `deadline` holds for all of it.
pub(crate) async fn fetch(client: &kube::Client, ask: Ask, deadline: Duration) -> Result<Answer, RequestError> {
    let url = ask.url.clone();
    let request = ask.request()?;
    let exchange = async {
        let response = client
            .send(request)
            .await
            .map_err(|error| connection_error(&url, &error))?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| unanswered(url.clone(), chain(&error)))?
            .to_bytes();
        if head.status.is_success() {
            return Ok(Answer {
                code: head.status,
                body,
            });
        }
        Err(RequestError::Status(ApiStatus::of(head.status, &head.headers, &body)))
    };
    match tokio::time::timeout(deadline, exchange).await {
        Ok(done) => done,
        Err(_) => Err(unanswered(
            url.clone(),
            format!("nothing within {} s", deadline.as_secs_f32()),
        )),
    }
}

impl Answer {
    /// The body, as JSON.
    pub(crate) fn json(&self, url: &str) -> Result<Value, RequestError> {
        serde_json::from_slice(&self.body).map_err(|error| RequestError::Malformed {
            url: url.to_owned(),
            reason: match self.body.trim_ascii_start().first() {
                // An object that was cut off, a Secret maybe.
                Some(b'{') => error.to_string(),
                _ => format!("{error} in {}", excerpt(&self.body)),
            },
        })
    }
}

fn unanswered(url: String, reason: String) -> RequestError {
    RequestError::Unanswered { url, reason }
}

fn connection_error(url: &str, error: &kube::Error) -> RequestError {
    let reason = chain(error);
    let url = url.to_owned();
    match was_never_sent(error) {
        true => RequestError::Unreachable { url, reason },
        false => RequestError::Unanswered { url, reason },
    }
}

/// Is it certain that no byte of the request left? Only a failed connect, a failed credential and a client that is closed are.
fn was_never_sent(error: &kube::Error) -> bool {
    if matches!(error, kube::Error::Auth(_)) {
        return true;
    }
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(legacy) = error.downcast_ref::<hyper_util::client::legacy::Error>()
            && legacy.is_connect()
        {
            return true;
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
            if matches!(
                io.kind(),
                ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable
            ) {
                return true;
            }
        }
        next = error.source();
    }
    false
}

/// An error with its causes, once each.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(code: u16, headers: &HeaderMap) -> WriteError {
        let body = json!({"kind": "Status", "code": code, "message": "m"}).to_string();
        let code = StatusCode::from_u16(code).unwrap();
        RequestError::Status(ApiStatus::of(code, headers, body.as_bytes())).into_write_error()
    }

    #[test]
    fn every_code_has_its_outcome() {
        let none = HeaderMap::new();
        let names: Vec<&str> = [400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 504]
            .into_iter()
            .map(|code| outcome(code, &none).name())
            .collect();
        let expected = [
            "Invalid",
            "Forbidden",
            "Forbidden",
            "PathNotFound",
            "Conflict",
            "Invalid",
            "Invalid",
            "RateLimited",
            "Transient",
            "Transient",
            "OutcomeUnknown",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn only_the_object_s_own_404_is_its_absence() {
        let answered = |body: Value| {
            let status = ApiStatus::of(StatusCode::NOT_FOUND, &HeaderMap::new(), body.to_string().as_bytes());
            RequestError::Status(status).about("web").name()
        };
        let status =
            |name: &str| json!({"kind": "Status", "code": 404, "reason": "NotFound", "details": {"name": name}});
        assert_eq!(answered(status("web")), "NotFound");
        for other in [status("shop"), status(""), json!("404 page not found")] {
            assert_eq!(answered(other), "PathNotFound");
        }
    }

    #[test]
    fn retry_after_is_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("7"));
        for code in [429, 503] {
            let expected = Some(Duration::from_secs(7));
            assert!(
                matches!(outcome(code, &headers), WriteError::RateLimited { retry_after, .. } if retry_after == expected)
            );
        }
    }

    #[test]
    fn a_read_without_an_answer_is_not_a_mystery() {
        let error = RequestError::Unanswered {
            url: "/x".into(),
            reason: "reset".into(),
        };
        assert_eq!(error.clone().into_write_error().name(), "OutcomeUnknown");
        assert_eq!(error.into_read_error().name(), "Transient");
    }
}
