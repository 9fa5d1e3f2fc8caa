//! OpenAPI documents, as far as kubectl reads them.

use serde_json::{Map, Value, json};

use crate::registry::api_version;
use crate::request::{Request, Response};
use crate::status::ApiError;
use crate::world::World;

impl World {
    /// `/openapi/...`.
    pub(crate) fn openapi(&self, _request: &Request, rest: &[&str]) -> Result<Response, ApiError> {
        match rest {
            ["v3"] => Ok(Response::json(200, json!({"paths": self.openapi_paths()}))),
            _ => Err(ApiError::model_gap(format!("the path /openapi/{}", rest.join("/")))),
        }
    }

    fn openapi_paths(&self) -> Value {
        let mut paths = Map::new();
        for group in self.registry.groups() {
            for version in &group.versions {
                let name = api_version(&group.name, &version.name);
                let key = if group.name.is_empty() {
                    format!("api/{name}")
                } else {
                    format!("apis/{name}")
                };
                let url = format!("/openapi/v3/{key}?hash={:X}", version.resources.len());
                paths.insert(key, json!({"serverRelativeURL": url}));
            }
        }
        Value::Object(paths)
    }
}
