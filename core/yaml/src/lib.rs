//! The one YAML scanner (Kubernetes' YAML 1.1 rules, marks for errors) and the byte-exact Go-style emitter
