//! The world as a tower service: what `kube::Client::new` takes.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT, WARNING};
use http_body_util::BodyExt as _;
use tower::Service;

use super::{AnswerBody, Cluster};
use crate::request::{Answer, Body, Method, Request, Response, parse_query, percent_decode};
use crate::status::ApiError;

/// The world as a service from HTTP request to HTTP response. Clones share the world.
#[derive(Clone)]
pub struct WorldService {
    cluster: Cluster,
    /// Of requests that bring no credentials.
    token: Option<String>,
}

impl WorldService {
    /// Over a cluster.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, token: None }
    }

    /// Over a cluster, as whoever has this token (`Options::tokens`).
    pub fn with_token(cluster: Cluster, token: &str) -> Self {
        Self {
            cluster,
            token: Some(token.to_owned()),
        }
    }

    async fn answer<B>(self, request: http::Request<B>) -> http::Response<AnswerBody>
    where
        B: http_body::Body,
    {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            let error = ApiError::bad_request("the body of the request could not be read");
            return self.respond(Response::json(error.code, error.to_status()));
        };
        let mut request = translate(&parts, &body.to_bytes());
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        request.authorization = request.authorization.or(token);
        self.respond(self.cluster.handle(request))
    }

    fn respond(&self, response: Response) -> http::Response<AnswerBody> {
        let body = match response.body {
            Answer::Json(value) => {
                let mut text = value.to_string();
                text.push('\n');
                AnswerBody::whole(Bytes::from(text))
            }
            Answer::Text(text) => AnswerBody::whole(Bytes::from(text)),
            Answer::Watch(id) => AnswerBody::events(self.cluster.clone(), id),
        };
        let mut out = http::Response::new(body);
        *out.status_mut() =
            http::StatusCode::from_u16(response.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = out.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&response.content_type) {
            headers.insert(CONTENT_TYPE, value);
        }
        for warning in response.warnings.iter().filter_map(|w| HeaderValue::from_str(w).ok()) {
            headers.append(WARNING, warning);
        }
        if let Some(seconds) = response.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        out
    }
}

impl<B> Service<http::Request<B>> for WorldService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = http::Response<AnswerBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

/// An HTTP request as the world takes it.
fn translate(parts: &http::request::Parts, body: &Bytes) -> Request {
    let header = |name: &http::HeaderName| text(&parts.headers, name.as_str());
    Request {
        id: text(&parts.headers, "x-request-id"),
        method: Some(Method::parse(parts.method.as_str())),
        path: percent_decode(parts.uri.path(), false),
        query: parse_query(parts.uri.query().unwrap_or_default()),
        accept: header(&ACCEPT),
        content_type: header(&CONTENT_TYPE),
        user_agent: header(&USER_AGENT),
        authorization: header(&AUTHORIZATION),
        impersonate_user: text(&parts.headers, "impersonate-user"),
        impersonate_groups: all(&parts.headers, "impersonate-group"),
        user: None,
        body: if body.is_empty() {
            Body::Empty
        } else {
            Body::Bytes(body.to_vec())
        },
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(all(headers, name).join(",")).filter(|text| !text.is_empty())
}

fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
        .collect()
}
