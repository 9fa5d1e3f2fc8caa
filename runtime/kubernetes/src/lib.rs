//! Kubernetes through kube: discovery, watches as events, server-side apply, guarded deletes, CRD generation
