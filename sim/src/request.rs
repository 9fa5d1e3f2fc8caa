//! A request and its answer, without HTTP: what all front ends translate to and from.

use serde_json::Value;

/// HTTP method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Anything else the real server refuses.
    Other,
}

impl Method {
    /// From its HTTP name.
    pub fn parse(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name, e.g. `system:serviceaccount:argocd:controller`.
    pub name: String,
    /// Groups; `system:masters` may do everything.
    pub groups: Vec<String>,
}

impl User {
    /// The cluster's administrator.
    pub fn admin() -> Self {
        Self {
            name: "admin".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
        }
    }

    /// The API server itself.
    pub(crate) fn server() -> Self {
        Self {
            name: "system:apiserver".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
        }
    }

    /// A service account.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".into(),
            ],
        }
    }

    /// A built-in controller: a service account of `kube-system` that may do everything, as actors need.
    pub fn controller(name: &str) -> Self {
        let mut user = Self::service_account("kube-system", name);
        user.groups.push("system:masters".into());
        user
    }
}

/// The body of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// Bytes as sent.
    Bytes(Vec<u8>),
    /// Already a JSON value (direct calls).
    Json(Value),
}

/// A request as the world takes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Correlation id chosen by the caller; the world numbers requests without one.
    pub id: Option<String>,
    /// HTTP method; absent means `GET`.
    pub method: Option<Method>,
    /// Path without the query, percent-decoded.
    pub path: String,
    /// Query parameters in order, decoded.
    pub query: Vec<(String, String)>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `User-Agent`: its part before the first `/` is the default field manager.
    pub user_agent: Option<String>,
    /// `Authorization`, used when `user` is absent.
    pub authorization: Option<String>,
    /// `Impersonate-User`.
    pub impersonate_user: Option<String>,
    /// `Impersonate-Group`, repeated.
    pub impersonate_groups: Vec<String>,
    /// Who asks, when the caller knows; otherwise `authorization` decides.
    pub user: Option<User>,
    /// Body.
    pub body: Body,
}

impl Request {
    /// A request without body.
    pub fn new(method: Method, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method: Some(method),
            path: path.to_owned(),
            query: parse_query(query),
            ..Self::default()
        }
    }

    /// With a JSON body.
    pub fn json(method: Method, path: &str, body: Value) -> Self {
        Self {
            content_type: Some("application/json".into()),
            body: Body::Json(body),
            ..Self::new(method, path)
        }
    }

    /// With a body of another content type, e.g. `application/apply-patch+yaml`.
    pub fn typed(method: Method, path: &str, content_type: &str, body: Value) -> Self {
        Self {
            content_type: Some(content_type.into()),
            ..Self::json(method, path, body)
        }
    }

    /// Asked by `user`.
    pub fn by(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Named `id` in the history.
    pub fn named(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method.unwrap_or(Method::Get)
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a boolean query parameter is on.
    pub fn flag(&self, name: &str) -> bool {
        self.parameter(name)
            .is_some_and(|value| !matches!(value, "0" | "false" | "False"))
    }

    /// The field manager of a write: the parameter, or the user agent's first part.
    pub fn field_manager(&self) -> String {
        if let Some(manager) = self.parameter("fieldManager").filter(|m| !m.is_empty()) {
            return manager.to_owned();
        }
        let agent = self.user_agent.as_deref().unwrap_or("unknown");
        agent.split('/').next().unwrap_or(agent).to_owned()
    }
}

/// Splits and decodes a query string.
pub fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (percent_decode(key, true), percent_decode(value, true))
        })
        .collect()
}

/// Percent-decodes; `plus` reads `+` as a space, as queries do. What is no escape stays as it is.
pub fn percent_decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let decoded = hex
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match decoded {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if plus && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A JSON value.
    Json(Value),
    /// Plain text.
    Text(String),
    /// A stream of watch events: poll the world with this id, and close it when done.
    Watch(u64),
}

/// An answer of the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// HTTP status code.
    pub code: u16,
    /// `Warning` headers, whole.
    pub warnings: Vec<String>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u32>,
    /// Content type of a JSON body.
    pub content_type: String,
    /// Body.
    pub body: Answer,
}

impl Response {
    /// A JSON answer.
    pub fn json(code: u16, body: Value) -> Self {
        Self {
            code,
            warnings: Vec::new(),
            retry_after: None,
            content_type: "application/json".into(),
            body: Answer::Json(body),
        }
    }

    /// A text answer.
    pub fn text(code: u16, body: &str) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8".into(),
            body: Answer::Text(body.to_owned()),
            ..Self::json(code, Value::Null)
        }
    }

    /// The JSON body; `null` for text and watches.
    pub fn value(&self) -> &Value {
        match &self.body {
            Answer::Json(value) => value,
            Answer::Text(_) | Answer::Watch(_) => &Value::Null,
        }
    }

    /// Whether the request succeeded.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let request = Request::new(Method::Get, "/api/v1/pods?labelSelector=a%3Db%2Cc&watch=1&x");
        assert_eq!(request.parameter("labelSelector"), Some("a=b,c"));
        assert!(request.flag("watch") && request.flag("x") && !request.flag("y"));
        assert_eq!(percent_decode("100%", false), "100%");
    }

    #[test]
    fn the_field_manager_falls_back_to_the_user_agent() {
        let mut request = Request::new(Method::Post, "/x?fieldManager=");
        request.user_agent = Some("kubectl/v1.32.0 (linux/amd64)".into());
        assert_eq!(request.field_manager(), "kubectl");
    }
}
