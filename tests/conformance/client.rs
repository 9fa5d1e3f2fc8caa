//! Requests to either server.

use std::time::Duration;

use serde_json::{Value, json};

/// A client of one server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer as it came.
pub(crate) struct Raw {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Value,
}

impl Client {
    /// A client of the server at `base`. The certificate is not checked: both servers are ours, on loopback.
    pub(crate) fn new(base: &str, token: Option<&str>) -> Result<Self, reqwest::Error> {
        // Another test of this process may have chosen the provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .danger_accept_invalid_certs(true)
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .user_agent("conformance")
            .build()?;
        Ok(Self {
            http,
            base: base.to_owned(),
            token: token.map(str::to_owned),
        })
    }

    /// Sends one request.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Result<Raw, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("the sessions name methods");
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header("Accept", "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", content_type).body(body.to_string());
        }
        let response = request.send().await?;
        let code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings
            .map(|w| String::from_utf8_lossy(w.as_bytes()).into_owned())
            .collect();
        let bytes = response.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Ok(Raw { code, warnings, body })
    }

    /// Makes a namespace, with the service account a controller would make.
    pub(crate) async fn prepare(&self, namespace: &str) -> Result<(), reqwest::Error> {
        let body = json!({"metadata": {"name": namespace}});
        self.send("POST", "/api/v1/namespaces", "application/json", Some(&body))
            .await?;
        let account = json!({"metadata": {"name": "default"}});
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        self.send("POST", &path, "application/json", Some(&account)).await?;
        Ok(())
    }

    /// Whether the server says it is ready.
    pub(crate) async fn ready(&self) -> bool {
        matches!(self.send("GET", "/readyz", "", None).await, Ok(raw) if raw.code == 200)
    }
}
