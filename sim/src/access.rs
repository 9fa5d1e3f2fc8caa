//! Who may do what: RBAC as the API server evaluates it, impersonation, and the review kinds that ask about it.

use serde_json::{Value, json};

use crate::fields::{at, meta, text};
use crate::registry::GroupResource;
use crate::request::{Method, Response, User};
use crate::status::{ApiError, qualified};
use crate::store::ObjectName;
use crate::world::{Call, World};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What is to be allowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) path: String,
}

impl World {
    /// 403 unless the caller may make this call.
    pub(crate) fn authorize(&self, call: &Call<'_>) -> Result<(), ApiError> {
        if call.user.groups.iter().any(|g| g == "system:masters") {
            return Ok(());
        }
        let attributes = Attributes {
            verb: call.verb.to_owned(),
            group: call.resource.group.clone(),
            resource: call.resource.plural.clone(),
            subresource: call.subresource.clone(),
            namespace: call.namespace.clone(),
            name: call.name.clone(),
            path: String::new(),
        };
        if self.allows(&call.user, &attributes) {
            Ok(())
        } else {
            Err(refusal(&call.user, &attributes))
        }
    }

    /// 403 unless the caller may create: an update or apply of what is not there is a creation.
    pub(crate) fn authorize_creation(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let attributes = Attributes {
            verb: "create".into(),
            group: call.resource.group.clone(),
            resource: call.resource.plural.clone(),
            namespace: call.namespace.clone(),
            name: call.name.clone(),
            ..Attributes::default()
        };
        if call.verb == "create" || self.allows(&call.user, &attributes) {
            return Ok(());
        }
        Err(refusal(&call.user, &attributes))
    }

    /// 403 unless the user may ask for a path that is no resource.
    pub(crate) fn authorize_path(&self, user: &User, method: Method, path: &str) -> Result<(), ApiError> {
        let verb = match method {
            Method::Get | Method::Other => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Patch => "patch",
            Method::Delete => "delete",
        };
        let asked = Attributes {
            verb: verb.into(),
            path: path.into(),
            ..Attributes::default()
        };
        if self.allows(user, &asked) {
            return Ok(());
        }
        let why = format!("User {:?} cannot {verb} path {path:?}", user.name);
        let mut error = ApiError::forbidden("", "", "", &why);
        error.details = Some(Box::default());
        Err(error)
    }

    /// 403 unless `user` may act as `other`.
    pub(crate) fn may_impersonate(&self, user: &User, other: &str) -> Result<(), ApiError> {
        if user.groups.iter().any(|g| g == "system:masters") {
            return Ok(());
        }
        let account = other
            .strip_prefix("system:serviceaccount:")
            .and_then(|rest| rest.split_once(':'));
        let attributes = match account {
            Some((namespace, name)) => Attributes {
                verb: "impersonate".into(),
                resource: "serviceaccounts".into(),
                namespace: namespace.into(),
                name: name.into(),
                ..Attributes::default()
            },
            None => Attributes {
                verb: "impersonate".into(),
                resource: "users".into(),
                name: other.into(),
                ..Attributes::default()
            },
        };
        if self.allows(user, &attributes) {
            Ok(())
        } else {
            Err(refusal(user, &attributes))
        }
    }

    /// 403 unless `user` may act as a member of `group`.
    pub(crate) fn may_impersonate_group(&self, user: &User, group: &str) -> Result<(), ApiError> {
        let attributes = Attributes {
            verb: "impersonate".into(),
            resource: "groups".into(),
            name: group.into(),
            ..Attributes::default()
        };
        match self.allows(user, &attributes) {
            true => Ok(()),
            false => Err(refusal(user, &attributes)),
        }
    }

    /// Whether some role bound to the user allows it.
    pub(crate) fn allows(&self, user: &User, attributes: &Attributes) -> bool {
        if user.groups.iter().any(|g| g == "system:masters") {
            return true;
        }
        let cluster = GroupResource::new(RBAC, "clusterrolebindings");
        let local = GroupResource::new(RBAC, "rolebindings");
        let across = self.store.objects(&cluster, None);
        let inside =
            (!attributes.namespace.is_empty()).then(|| self.store.objects(&local, Some(attributes.namespace.as_str())));
        across.chain(inside.into_iter().flatten()).any(|(name, binding)| {
            binds(binding, user, &name.namespace) && self.role_allows(binding, &name.namespace, attributes)
        })
    }

    fn role_allows(&self, binding: &Value, namespace: &str, attributes: &Attributes) -> bool {
        let name = text(binding, &["roleRef", "name"]);
        let role = match text(binding, &["roleRef", "kind"]) {
            "ClusterRole" => self
                .store
                .object(&GroupResource::new(RBAC, "clusterroles"), &ObjectName::new("", name)),
            _ => self
                .store
                .object(&GroupResource::new(RBAC, "roles"), &ObjectName::new(namespace, name)),
        };
        let rules = role.and_then(|r| r["rules"].as_array());
        rules.into_iter().flatten().any(|rule| rule_allows(rule, attributes))
    }

    /// The service account a token of [`token_for`] speaks for.
    pub(crate) fn service_account_of(&self, token: &str) -> Option<User> {
        let (namespace, rest) = token.strip_prefix("capstan.")?.split_once('.')?;
        let (name, uid) = rest.rsplit_once('.')?;
        let accounts = GroupResource::new("", "serviceaccounts");
        let account = self.store.object(&accounts, &ObjectName::new(namespace, name))?;
        (meta(account, "uid") == uid).then(|| User::service_account(namespace, name))
    }

    /// Answers a create of a review kind; `None` when the call creates something that is kept.
    pub(crate) fn review(&self, call: &mut Call<'_>) -> Result<Option<Response>, ApiError> {
        if !matches!(
            call.resource.group.as_str(),
            "authorization.k8s.io" | "authentication.k8s.io"
        ) {
            return Ok(None);
        }
        let resource = call.resource.clone();
        let mut object = call.object(&resource.group, &resource.version, &resource.kind)?;
        let status = match resource.kind.as_str() {
            "SelfSubjectAccessReview" => self.access(&call.user, &object),
            "SubjectAccessReview" | "LocalSubjectAccessReview" => {
                let spec = &object["spec"];
                let groups = spec["groups"].as_array().into_iter().flatten();
                let user = User {
                    name: text(spec, &["user"]).to_owned(),
                    groups: groups.filter_map(|g| g.as_str().map(str::to_owned)).collect(),
                };
                self.access(&user, &object)
            }
            "SelfSubjectReview" => json!({"userInfo": {"username": call.user.name, "groups": call.user.groups}}),
            "SelfSubjectRulesReview" => self.rules(&call.user, text(&object, &["spec", "namespace"])),
            "TokenReview" => self.token_review(text(&object, &["spec", "token"])),
            kind => return Err(ApiError::model_gap(format!("the review kind {kind}"))),
        };
        object["status"] = status;
        crate::fields::metadata_mut(&mut object);
        self.respond(call, 201, object).map(Some)
    }

    fn access(&self, user: &User, review: &Value) -> Value {
        let attributes = &review["spec"]["resourceAttributes"];
        let word = |field: &str| text(attributes, &[field]).to_owned();
        let mut asked = Attributes {
            verb: word("verb"),
            group: word("group"),
            resource: word("resource"),
            subresource: word("subresource"),
            namespace: word("namespace"),
            name: word("name"),
            path: String::new(),
        };
        if let Some(path) = at(review, &["spec", "nonResourceAttributes"]) {
            asked.path = text(path, &["path"]).to_owned();
            asked.verb = text(path, &["verb"]).to_owned();
        }
        let allowed = self.allows(user, &asked);
        let mut status = json!({"allowed": allowed});
        if allowed && !user.groups.iter().any(|g| g == "system:masters") {
            status["reason"] = json!("RBAC: allowed");
        }
        status
    }

    /// Everything the user may do, as one list of rules.
    fn rules(&self, user: &User, namespace: &str) -> Value {
        let everything = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
        let mut rules: Vec<Value> = Vec::new();
        for (kind, of) in [("clusterrolebindings", None), ("rolebindings", Some(namespace))] {
            for (name, binding) in self.store.objects(&GroupResource::new(RBAC, kind), of) {
                if !binds(binding, user, &name.namespace) {
                    continue;
                }
                let role = text(binding, &["roleRef", "name"]);
                let plural = if text(binding, &["roleRef", "kind"]) == "ClusterRole" {
                    "clusterroles"
                } else {
                    "roles"
                };
                let at = ObjectName::new(if plural == "roles" { &name.namespace } else { "" }, role);
                let role = self.store.object(&GroupResource::new(RBAC, plural), &at);
                rules.extend(role.and_then(|r| r["rules"].as_array()).into_iter().flatten().cloned());
            }
        }
        if user.groups.iter().any(|g| g == "system:masters") {
            rules = everything.as_array().cloned().unwrap_or_default();
        }
        let (paths, resources): (Vec<Value>, Vec<Value>) = rules
            .into_iter()
            .partition(|rule| rule.get("nonResourceURLs").is_some());
        json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
    }

    fn token_review(&self, token: &str) -> Value {
        let user = self
            .options
            .tokens
            .get(token)
            .cloned()
            .or_else(|| self.service_account_of(token));
        match user {
            Some(user) => json!({"authenticated": true, "user": {"username": user.name, "groups": user.groups}}),
            None => json!({"user": {}, "error": "[invalid bearer token, token lookup failed]"}),
        }
    }
}

/// The bearer token of a service account.
pub(crate) fn token_for(namespace: &str, name: &str, uid: &str) -> String {
    format!("capstan.{namespace}.{name}.{uid}")
}

fn binds(binding: &Value, user: &User, binding_namespace: &str) -> bool {
    binding["subjects"].as_array().into_iter().flatten().any(|subject| {
        let name = text(subject, &["name"]);
        match text(subject, &["kind"]) {
            "User" => name == user.name || name == "*",
            "Group" => user.groups.iter().any(|g| g == name),
            "ServiceAccount" => {
                let namespace = match text(subject, &["namespace"]) {
                    "" => binding_namespace,
                    namespace => namespace,
                };
                user.name == format!("system:serviceaccount:{namespace}:{name}")
            }
            _ => false,
        }
    })
}

fn rule_allows(rule: &Value, asked: &Attributes) -> bool {
    let list = |field: &str| {
        rule[field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
    };
    let verbs = list("verbs");
    if !verbs.iter().any(|v| *v == "*" || *v == asked.verb) {
        return false;
    }
    if !asked.path.is_empty() {
        return list("nonResourceURLs").iter().any(|url| {
            *url == "*"
                || *url == asked.path
                || url
                    .strip_suffix('*')
                    .is_some_and(|prefix| asked.path.starts_with(prefix))
        });
    }
    let resource = if asked.subresource.is_empty() {
        asked.resource.clone()
    } else {
        format!("{}/{}", asked.resource, asked.subresource)
    };
    let any_of = format!("*/{}", asked.subresource);
    let names = list("resourceNames");
    list("apiGroups").iter().any(|g| *g == "*" || *g == asked.group)
        && list("resources")
            .iter()
            .any(|r| *r == "*" || *r == resource || (!asked.subresource.is_empty() && *r == any_of))
        && (names.is_empty() || names.contains(&asked.name.as_str()))
}

fn refusal(user: &User, asked: &Attributes) -> ApiError {
    let resource = if asked.subresource.is_empty() {
        asked.resource.clone()
    } else {
        format!("{}/{}", asked.resource, asked.subresource)
    };
    let scope = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", asked.namespace)
    };
    let why = format!(
        "User {:?} cannot {} resource {resource:?} in API group {:?} {scope}",
        user.name, asked.verb, asked.group
    );
    let mut error = ApiError::forbidden(&asked.group, &asked.resource, &asked.name, &why);
    if !asked.subresource.is_empty() {
        let name = if asked.name.is_empty() {
            String::new()
        } else {
            format!(" {:?}", asked.name)
        };
        error.message = format!("{}{name} is forbidden: {why}", qualified(&asked.group, &asked.resource));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_rbac_reads_them() {
        let rule = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["configmaps", "*/scale"], "resourceNames": ["a"]});
        let asked = |resource: &str, sub: &str, name: &str| Attributes {
            verb: "get".into(),
            resource: resource.into(),
            subresource: sub.into(),
            name: name.into(),
            ..Attributes::default()
        };
        assert!(rule_allows(&rule, &asked("configmaps", "", "a")));
        assert!(!rule_allows(&rule, &asked("configmaps", "", "b")));
        assert!(rule_allows(&rule, &asked("pods", "scale", "a")));
        assert!(!rule_allows(&rule, &asked("secrets", "", "a")));
    }
}
