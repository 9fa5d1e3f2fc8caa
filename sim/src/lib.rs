//! The simulated Kubernetes cluster: store, verbs, server-side apply, actors, and its front ends
