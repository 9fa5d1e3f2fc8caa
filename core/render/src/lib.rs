//! A tree of files to Kubernetes manifests: Helm charts and plain directories
