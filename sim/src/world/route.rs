//! From path and method to verb: who asks, may they, and what is it about.

use std::sync::Arc;

use capstan_model::Timestamp;
use serde_json::json;

use super::World;
use super::call::{Call, FieldValidation};
use crate::registry::ResourceType;
use crate::request::{Method, Request, Response, User};
use crate::status::ApiError;

/// A path below a served group and version.
#[derive(Debug, PartialEq, Eq)]
struct ResourcePath<'p> {
    group: &'p str,
    version: &'p str,
    namespace: &'p str,
    plural: &'p str,
    name: &'p str,
    subresource: String,
    /// Whether the path itself asks for a watch, as `/api/v1/watch/...` does.
    watch: bool,
}

impl World {
    pub(crate) fn route(&mut self, now: Timestamp, request: &Request) -> Result<Response, ApiError> {
        let user = self.authenticate(request)?;
        let path = request.path.trim_end_matches('/');
        if !path.starts_with("/api/") && !path.starts_with("/apis/") || is_meta(path) {
            self.authorize_path(&user, request.method(), if path.is_empty() { "/" } else { path })?;
        }
        if request.method() == Method::Get
            && let Some(response) = self.meta_path(request, path)?
        {
            return Ok(response);
        }
        let mut segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let watching = drop_watch_prefix(&mut segments);
        let Some(mut target) = resource_path(&segments) else {
            return Ok(page_not_found());
        };
        target.watch = watching;
        let resource = self.registry.resource(target.group, target.version, target.plural);
        let Some(resource) = resource.cloned() else {
            let known = self.registry.is_builtin(target.group);
            return if known {
                Err(ApiError::unknown_path())
            } else {
                Ok(page_not_found())
            };
        };
        if resource.namespaced == target.namespace.is_empty()
            && !across_namespaces(&resource, &target, request.method())
        {
            return if resource.custom {
                Ok(page_not_found())
            } else {
                Err(ApiError::unknown_path())
            };
        }
        self.resource(now, request, user, resource, target)
    }

    fn resource(
        &mut self,
        now: Timestamp,
        request: &Request,
        user: User,
        resource: Arc<ResourceType>,
        target: ResourcePath<'_>,
    ) -> Result<Response, ApiError> {
        let verb = verb(request, &target)?;
        let mut call = Call {
            now,
            request,
            id: request.id.clone().unwrap_or_else(|| self.request_number().to_string()),
            user,
            verb,
            namespace: target.namespace.to_owned(),
            name: target.name.to_owned(),
            subresource: target.subresource,
            dry_run: request.parameter("dryRun").is_some_and(|value| value == "All"),
            manager: request.field_manager(),
            validation: match request.parameter("fieldValidation") {
                Some("Ignore") => FieldValidation::Ignore,
                Some("Strict") => FieldValidation::Strict,
                _ => FieldValidation::Warn,
            },
            warnings: Vec::new(),
            owned: None,
            resource,
        };
        self.authorize(&call)?;
        self.warn_of_deprecation(&mut call);
        check_served(&call)?;
        super::accepted(request)?;
        let answer = self.dispatch(&mut call);
        match answer {
            Ok(mut response) => {
                response.warnings.append(&mut call.warnings);
                Ok(response)
            }
            Err(error) => {
                self.refused = call.warnings;
                Err(error)
            }
        }
    }

    fn dispatch(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        if !call.subresource.is_empty() {
            return self.subresource(call);
        }
        match call.verb {
            "get" => self.get(call),
            "list" => self.list(call),
            "watch" => self.watch(call),
            "create" => self.create(call),
            "update" => self.update(call),
            "patch" => self.patch(call),
            "delete" => self.delete(call),
            "deletecollection" => self.delete_collection(call),
            other => Err(ApiError::model_gap(format!("the verb {other}"))),
        }
    }

    /// Paths that are about the server, not about objects.
    fn meta_path(&self, request: &Request, path: &str) -> Result<Option<Response>, ApiError> {
        let response = match path {
            "/healthz" | "/livez" | "/readyz" | "/healthz/ping" | "/livez/ping" | "/readyz/ping" => {
                Response::text(200, "ok")
            }
            "/version" => Response::json(200, self.version()),
            "/metrics" | "/logs" | "/configz" | "/.well-known/openid-configuration" | "/openid/v1/jwks" => {
                return Err(ApiError::model_gap(format!("the path {path}")));
            }
            _ => return self.discovery(request, path),
        };
        Ok(Some(response))
    }

    fn version(&self) -> serde_json::Value {
        let mut numbers = self.options.version.split('.');
        let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
        json!({
            "major": major, "minor": minor, "emulationMajor": major, "emulationMinor": minor,
            "minCompatibilityMajor": major, "minCompatibilityMinor": minor,
            "gitVersion": format!("v{}", self.options.version), "gitCommit": "", "gitTreeState": "",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "capstan/simulated",
        })
    }

    /// Who asks: the direct caller's word, a token, or nobody in particular, which on a port of one's own is the administrator.
    fn authenticate(&self, request: &Request) -> Result<User, ApiError> {
        let user = match (&request.user, request.authorization.as_deref()) {
            (Some(user), _) => user.clone(),
            (None, None) => User::admin(),
            (None, Some(header)) => {
                let token = header.strip_prefix("Bearer ").unwrap_or_default().trim();
                let known = self
                    .options
                    .tokens
                    .get(token)
                    .cloned()
                    .or_else(|| self.service_account_of(token));
                known.ok_or_else(|| ApiError::new(401, "Unauthorized", "Unauthorized"))?
            }
        };
        let Some(name) = &request.impersonate_user else {
            return Ok(user);
        };
        let mut groups = request.impersonate_groups.clone();
        if groups.is_empty()
            && let Some((namespace, account)) = name
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.split_once(':'))
        {
            groups = User::service_account(namespace, account).groups;
        }
        if name != "system:anonymous" && !groups.iter().any(|g| g == "system:authenticated") {
            groups.push("system:authenticated".into());
        }
        self.may_impersonate(&user, name)?;
        for group in &request.impersonate_groups {
            self.may_impersonate_group(&user, group)?;
        }
        Ok(User {
            name: name.clone(),
            groups,
        })
    }
}

/// Lists and watches of a namespaced resource may span all namespaces.
fn across_namespaces(resource: &ResourceType, target: &ResourcePath<'_>, method: Method) -> bool {
    resource.namespaced
        && target.namespace.is_empty()
        && target.name.is_empty()
        && matches!(method, Method::Get | Method::Delete | Method::Post)
}

/// The old form of a watch puts the word into the path.
fn drop_watch_prefix(segments: &mut Vec<&str>) -> bool {
    let at = match segments.as_slice() {
        ["api", _, "watch", _, ..] => 2,
        ["apis", _, _, "watch", _, ..] => 3,
        _ => return false,
    };
    segments.remove(at);
    true
}

/// Discovery and health: paths that are authorized by path.
fn is_meta(path: &str) -> bool {
    let depth = path.matches('/').count();
    (path.starts_with("/api/") && depth == 2) || (path.starts_with("/apis/") && depth <= 3)
}

/// What Go's own mux answers.
fn page_not_found() -> Response {
    Response::text(404, "404 page not found\n")
}

fn resource_path<'p>(segments: &[&'p str]) -> Option<ResourcePath<'p>> {
    let (group, version, rest) = match segments {
        ["api", "v1", rest @ ..] => ("", "v1", rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        _ => ("", rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", String::new()),
        [plural, name] => (*plural, *name, String::new()),
        [plural, name, sub @ ..] => (*plural, *name, sub.join("/")),
        [] => return None,
    };
    (!plural.is_empty()).then_some(ResourcePath {
        group,
        version,
        namespace,
        plural,
        name,
        subresource,
        watch: false,
    })
}

fn verb(request: &Request, target: &ResourcePath<'_>) -> Result<&'static str, ApiError> {
    let collection = target.name.is_empty();
    match (request.method(), collection) {
        (Method::Get, _) if target.watch => Ok("watch"),
        (Method::Get, true) if request.flag("watch") => Ok("watch"),
        (Method::Get, true) => Ok("list"),
        (Method::Get, false) => Ok("get"),
        (Method::Post, true) => Ok("create"),
        (Method::Post, false) if !target.subresource.is_empty() => Ok("create"),
        (Method::Put, false) => Ok("update"),
        (Method::Patch, false) => Ok("patch"),
        (Method::Delete, true) => Ok("deletecollection"),
        (Method::Delete, false) => Ok("delete"),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn check_served(call: &Call<'_>) -> Result<(), ApiError> {
    let verbs = if call.subresource.is_empty() {
        &call.resource.verbs
    } else {
        let first = call.subresource.split('/').next().unwrap_or_default();
        match call.resource.subresource(first) {
            Some(subresource) => &subresource.verbs,
            None if call.resource.custom => return Err(call.not_found()),
            None => return Err(ApiError::unknown_path()),
        }
    };
    if verbs.iter().any(|verb| verb == call.verb) {
        Ok(())
    } else {
        Err(ApiError::method_not_allowed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<(String, String, String, String, String)> {
        let segments: Vec<&str> = path.split('/').collect();
        let p = resource_path(&segments)?;
        Some((
            p.group.into(),
            p.namespace.into(),
            p.plural.into(),
            p.name.into(),
            p.subresource,
        ))
    }

    #[test]
    fn paths_are_taken_apart() {
        let tuple =
            |a: &str, b: &str, c: &str, d: &str, e: &str| Some((a.into(), b.into(), c.into(), d.into(), e.into()));
        assert_eq!(
            parse("api/v1/namespaces/x/pods/p/log"),
            tuple("", "x", "pods", "p", "log")
        );
        assert_eq!(parse("api/v1/namespaces/x"), tuple("", "", "namespaces", "x", ""));
        assert_eq!(
            parse("api/v1/namespaces/x/finalize"),
            tuple("", "", "namespaces", "x", "finalize")
        );
        assert_eq!(
            parse("apis/apps/v1/deployments"),
            tuple("apps", "", "deployments", "", "")
        );
        assert_eq!(parse("apis/apps"), None);
    }
}
