//! Complete lists of one kind.

use capstan_model::{GroupKind, GroupVersionKind};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::request::{Ask, JSON, RequestError};
use crate::url;

/// All objects of a kind, of one snapshot.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) objects: Vec<Value>,
    /// Version to watch from.
    pub(crate) resource_version: String,
}

/// How objects are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    Metadata,
}

impl Form {
    pub(crate) fn accept(self, list: bool) -> &'static str {
        match (self, list) {
            (Self::Whole, _) => JSON,
            (Self::Metadata, true) => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            (Self::Metadata, false) => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        }
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    /// `null` when there is none.
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

impl Cluster {
    /// Lists everything below `collection`, page by page. A page that fails fails the list: what was read of it is forgotten.
    pub(crate) async fn list(
        &self,
        collection: &str,
        gvk: &GroupVersionKind,
        form: Form,
    ) -> Result<Listed, RequestError> {
        let kind = gvk.group_kind();
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let page = self.page(collection, &kind, form, &token).await?;
            objects.extend(page.items.into_iter().flatten());
            match page.metadata.next {
                Some(next) if !next.is_empty() => token = next,
                _ => {
                    let resource_version = page.metadata.resource_version;
                    objects.iter_mut().for_each(|object| name_kind(object, gvk));
                    return Ok(Listed {
                        objects,
                        resource_version,
                    });
                }
            }
        }
    }

    async fn page(&self, collection: &str, kind: &GroupKind, form: Form, token: &str) -> Result<Page, RequestError> {
        let mut url = collection.to_owned();
        url::push_query(&mut url, "limit", &self.settings().page.to_string());
        if !token.is_empty() {
            url::push_query(&mut url, "continue", token);
        }
        let mut ask = Ask::read(url.clone());
        ask.accept = form.accept(true);
        let answer = self.fetch("list", kind, ask).await?;
        serde_json::from_slice(&answer.body).map_err(|error| RequestError::Malformed {
            url,
            reason: error.to_string(),
        })
    }
}

/// Items of a list of a built-in kind carry neither `apiVersion` nor `kind`.
fn name_kind(object: &mut Value, gvk: &GroupVersionKind) {
    if let Some(fields) = object.as_object_mut() {
        fields.entry("apiVersion").or_insert_with(|| gvk.api_version().into());
        fields.entry("kind").or_insert_with(|| gvk.kind.clone().into());
    }
}
