//! What an API server makes by itself when it starts on an empty store.

use capstan_model::Timestamp;
use serde_json::{Value, json};

use super::World;
use crate::registry::api_version;
use crate::request::{Method, Request, User};

impl World {
    /// System namespaces, the `kubernetes` Service and its endpoints, the system priority classes, the user-facing roles.
    pub(super) fn bootstrap(&mut self, now: Timestamp) {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            self.make(now, "/api/v1/namespaces", json!({"metadata": {"name": name}}));
        }
        self.make(
            now,
            "/api/v1/namespaces/default/services",
            json!({
                "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
                "spec": {
                    "type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "sessionAffinity": "None",
                    "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
                    "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}],
                },
            }),
        );
        for (name, value) in [
            ("system-cluster-critical", 2_000_000_000),
            ("system-node-critical", 2_000_001_000),
        ] {
            self.make(
                now,
                "/apis/scheduling.k8s.io/v1/priorityclasses",
                json!({
                    "metadata": {"name": name}, "value": value, "preemptionPolicy": "PreemptLowerPriority",
                }),
            );
        }
        self.roles(now);
    }

    fn roles(&mut self, now: Timestamp) {
        let rbac = api_version("rbac.authorization.k8s.io", "v1");
        let everything = json!([
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            {"verbs": ["*"], "nonResourceURLs": ["*"]},
        ]);
        let discovery = json!([{
            "verbs": ["get"],
            "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"],
        }]);
        let own = json!([
            {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
            {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
        ]);
        let roles = [
            ("cluster-admin", everything, "system:masters"),
            ("system:discovery", discovery, "system:authenticated"),
            ("system:basic-user", own, "system:authenticated"),
        ];
        for (name, rules, group) in roles {
            let labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
            let role = json!({"metadata": {"name": name, "labels": labels}, "rules": rules});
            self.make(now, &format!("/apis/{rbac}/clusterroles"), role);
            self.make(
                now,
                &format!("/apis/{rbac}/clusterrolebindings"),
                json!({
                    "metadata": {"name": name, "labels": labels},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
                    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
                }),
            );
        }
    }

    fn make(&mut self, now: Timestamp, path: &str, object: Value) {
        let mut request = Request::json(Method::Post, path, object).by(User::server());
        request.user_agent = Some("kube-apiserver".into());
        let response = self.handle(now, request);
        debug_assert!(response.is_success(), "bootstrap of {path}: {response:?}");
    }
}
