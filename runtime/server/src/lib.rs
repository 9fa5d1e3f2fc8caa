//! HTTP: the dashboard with its JSON twin, live updates by SSE, webhooks in, health, readiness, metrics
