//! Subresources: status, scale, eviction, binding, token, finalize.

mod pods;
mod scale;

use serde_json::{Value, json};

use crate::fields::{child_mut, meta};
use crate::request::Response;
use crate::status::ApiError;
use crate::verbs::Change;
use crate::world::{Call, World};

impl World {
    /// A request to a subresource.
    pub(crate) fn subresource(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        match (call.subresource.as_str(), call.verb) {
            ("status" | "resize" | "ephemeralcontainers", "get") => self.get(call),
            ("status", "update") => self.update_existing(call),
            ("status", "patch") => self.patch(call),
            ("finalize", "update") => self.finalize(call),
            ("scale", _) => self.scale(call),
            ("eviction", "create") => self.evict(call),
            ("binding", "create") => self.bind(call),
            ("token", "create") => self.token(call),
            (other, verb) => Err(ApiError::model_gap(format!(
                "{verb} of {}/{other}",
                call.resource.plural
            ))),
        }
    }

    fn update_existing(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        call.check_write_options("UpdateOptions")?;
        let resource = call.resource.clone();
        let mut object = call.object(&resource.group, &resource.version, &resource.kind)?;
        self.decode_typed(call, &mut object)?;
        self.match_url(call, &mut object)?;
        let object = self.replace(call, object, Change::Update)?;
        self.respond(call, 200, object)
    }

    /// `finalize` of a namespace: the only way to its finalizers; the last one gone, the namespace goes.
    fn finalize(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let resource = call.resource.clone();
        let sent = call.object(&resource.group, &resource.version, &resource.kind)?;
        let old = self.stored(call)?;
        if !meta(&sent, "resourceVersion").is_empty() && meta(&sent, "resourceVersion") != meta(&old, "resourceVersion")
        {
            return Err(ApiError::modified(&resource.group, &resource.plural, &call.name));
        }
        let mut object = old.clone();
        let finalizers = sent["spec"]["finalizers"].as_array().cloned().unwrap_or_default();
        let spec = child_mut(&mut object, "spec");
        if finalizers.is_empty() {
            spec.remove("finalizers");
        } else {
            spec.insert("finalizers".into(), Value::Array(finalizers));
        }
        let object = self.store_change(call, &old, object)?;
        self.respond(call, 200, object)
    }

    /// `token` of a service account.
    fn token(&mut self, call: &mut Call<'_>) -> Result<Response, ApiError> {
        let mut request = call.object("authentication.k8s.io", "v1", "TokenRequest")?;
        let account = self.stored(call)?;
        let seconds = request["spec"]["expirationSeconds"].as_u64().unwrap_or(3600);
        let token = crate::access::token_for(&call.namespace, &call.name, meta(&account, "uid"));
        let expires = call.now + std::time::Duration::from_secs(seconds);
        let audiences = json!(["https://kubernetes.default.svc"]);
        let spec = child_mut(&mut request, "spec");
        spec.entry("audiences").or_insert(audiences);
        spec.insert("expirationSeconds".into(), json!(seconds));
        spec.entry("boundObjectRef").or_insert(Value::Null);
        request["metadata"] = json!({"name": call.name, "namespace": call.namespace});
        request["status"] = json!({"token": token, "expirationTimestamp": crate::fields::time(expires)});
        Ok(Response::json(201, request))
    }
}
