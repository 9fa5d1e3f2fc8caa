//! What would go along with a Namespace or a definition: listed, as metadata, right before it is deleted.

use capstan_engine::event::{ServedKind, WriteError};
use capstan_engine::guard::{Content, Survey, is_incidental};
use capstan_model::{GroupKind, GroupVersionKind};

use crate::cluster::Cluster;
use crate::list::Form;
use crate::url;

/// A list that is needed and was not had.
#[derive(Debug)]
pub(crate) enum NotListed {
    /// It may be had later.
    Later(WriteError),
    /// It may not: a kind is not known, or may not be listed.
    Never(String),
}

impl Cluster {
    /// All of it, or nothing: a list that fails fails the survey.
    pub(crate) async fn contents(&self, survey: &Survey) -> Result<Vec<Content>, NotListed> {
        match survey {
            Survey::Definition { kind, version, plural } => {
                let mut path = url::group_version(&kind.group, version);
                segment(&mut path, plural)?;
                self.contents_of(&path, kind, version).await
            }
            Survey::Namespace(namespace) => self.contents_of_namespace(namespace).await,
        }
    }

    async fn contents_of_namespace(&self, namespace: &str) -> Result<Vec<Content>, NotListed> {
        // What was served a while ago may not be all that is.
        let table = self
            .discover()
            .await
            .map_err(|error| NotListed::Later(error.into_read_error()))?;
        let discovery = &table.discovery;
        if let Some(group) = discovery.incomplete_groups.first() {
            let why = format!("the kinds of group {group} could not be discovered");
            return Err(NotListed::Never(why));
        }
        let mut found = Vec::new();
        let is_looked_at =
            |(kind, served): &(&GroupKind, &ServedKind)| served.namespaced && served.watchable && !is_incidental(kind);
        for (kind, served) in discovery.kinds.iter().filter(is_looked_at) {
            let mut path = url::group_version(&kind.group, &served.version);
            path.push_str("/namespaces");
            segment(&mut path, namespace)?;
            segment(&mut path, &served.plural)?;
            found.extend(self.contents_of(&path, kind, &served.version).await?);
        }
        Ok(found)
    }

    async fn contents_of(&self, path: &str, kind: &GroupKind, version: &str) -> Result<Vec<Content>, NotListed> {
        let gvk = GroupVersionKind {
            group: kind.group.clone(),
            version: version.to_owned(),
            kind: kind.kind.clone(),
        };
        let listed = self.list(path, &gvk, Form::Metadata).await.map_err(|error| {
            let reason = format!("{kind} cannot be listed: {error}");
            match error.into_read_error() {
                WriteError::Forbidden(_) => NotListed::Never(reason),
                // The kind is gone since it was discovered: look again.
                WriteError::NotFound(_) => NotListed::Later(WriteError::Transient(reason)),
                error => NotListed::Later(error),
            }
        })?;
        Ok(listed.objects.iter().map(|object| Content::of(kind, object)).collect())
    }
}

fn segment(path: &mut String, name: &str) -> Result<(), NotListed> {
    url::push_segment(path, name).map_err(|error| NotListed::Never(error.to_string()))
}
