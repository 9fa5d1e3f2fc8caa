//! `Observe`: read one object from the API.

use capstan_engine::event::WriteError;
use capstan_model::{GroupVersionKind, ResourceKey};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::request::{Ask, RequestError};

impl Cluster {
    /// The object, or its proven absence: only the API's word that *this object* is not found proves it. A 404 about the path (a
    /// kind that is not served, a proxy without a backend) is an error.
    pub async fn observe(&self, key: &ResourceKey, gvk: &GroupVersionKind) -> Result<Option<Box<Value>>, WriteError> {
        let url = self.object_url(key, gvk).await?;
        let read = self.fetch("get", &key.group_kind(), Ask::read(url.clone())).await;
        match read.and_then(|answer| answer.json(&url)) {
            Ok(object) => Ok(Some(Box::new(object))),
            Err(error) if proves_absence(&error, &key.name) => Ok(None),
            Err(error) => Err(error.into_read_error()),
        }
    }
}

pub(crate) fn proves_absence(error: &RequestError, name: &str) -> bool {
    matches!(error, RequestError::Status(status) if status.code == 404 && status.reason == "NotFound" && status.object == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::ApiStatus;

    #[test]
    fn only_the_api_s_word_about_the_object_proves_absence() {
        let status = |code, reason: &str, object: &str| {
            RequestError::Status(ApiStatus {
                code,
                reason: reason.into(),
                message: String::new(),
                object: object.into(),
                fields: Vec::new(),
                retry_after: None,
            })
        };
        assert!(proves_absence(&status(404, "NotFound", "web"), "web"));
        for error in [
            status(404, "", ""),
            status(404, "NotFound", ""),
            status(403, "Forbidden", "web"),
        ] {
            assert!(!proves_absence(&error, "web"));
        }
    }
}
