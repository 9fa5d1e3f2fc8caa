//! Talking to a Git server over HTTP: what it has (`ls-refs`), and getting what is missing into the local mirror.
//!
//! Credentials travel in memory, to their host only; gix's credential helpers, which are child processes, are never asked.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use capstan_model::SecretBytes;
use gix::ObjectId;
use gix::protocol::handshake::Ref;
use gix::protocol::transport::client::TransportWithoutIO as _;
use gix::protocol::transport::client::blocking_io::http;
use gix::refs::transaction::{Change, PreviousValue, RefEdit, RefLog};
use gix::remote::fetch::Tags;

use crate::charts::configure;
use crate::classify::classify;
use crate::meter::{Budget, Meter, MeteredHttp};
use crate::refs::{HEADS, Head, RefTable, TAGS};
use crate::{Credentials, Limits, RepoUrl, SourceError};

type Transport = http::Transport<MeteredHttp>;
type Prepared<'repo> = gix::remote::fetch::Prepare<'static, 'repo, Transport>;

/// Where commits are kept that no branch and no tag of the server names.
const PINNED: &str = "refs/capstan/pinned/";

/// One server, spoken to on behalf of one mirror.
pub(crate) struct Server<'a> {
    pub(crate) repository: &'a gix::Repository,
    pub(crate) url: &'a RepoUrl,
    pub(crate) limits: &'a Limits,
    pub(crate) credentials: Option<&'a Credentials>,
}

impl Server<'_> {
    /// Branches, tags and HEAD as they are now. One small exchange; no object is transferred.
    pub(crate) fn list(&self) -> Result<RefTable, SourceError> {
        let budget = Budget {
            total: self.limits.listing,
            idle: self.limits.idle,
            bytes: self.limits.listing_bytes,
            what: "bytes of the list of refs",
            floor: None,
        };
        self.exchange(budget, &[], |prepared, _| Ok(table(&prepared)))
    }

    /// Brings what the mirror lacks of all branches and tags, and of `pinned` if given, and lets the mirror's refs be the server's.
    pub(crate) fn fetch(&self, pinned: Option<ObjectId>) -> Result<RefTable, SourceError> {
        let budget = Budget {
            total: self.limits.fetching,
            idle: self.limits.idle,
            bytes: self.limits.pack_bytes,
            what: "bytes of the repository's history",
            floor: Some((self.limits.floor, self.limits.floor_window)),
        };
        let extra: Vec<String> = pinned.iter().map(|id| format!("+{id}:{PINNED}{id}")).collect();
        self.exchange(budget, &extra, |prepared, repository| {
            let table = table(&prepared);
            if table.is_empty() && pinned.is_none() {
                return Ok(table);
            }
            // First, so that a branch `a/b` can take the place of a branch `a`.
            forget_deleted(repository, &table)?;
            prepared
                .with_write_packed_refs_only(true)
                .receive(gix::progress::Discard, &AtomicBool::new(false))?;
            Ok(table)
        })
    }

    fn exchange<R>(
        &self,
        budget: Budget,
        extra: &[String],
        action: impl FnOnce(Prepared<'_>, &gix::Repository) -> gix::Result<R>,
    ) -> Result<R, SourceError>
    where
        R: Sized,
    {
        let authorization = self.authorization()?;
        let meter = Arc::new(Meter::new(budget));
        let done = self
            .prepare(&meter, authorization, extra)
            .and_then(|prepared| action(prepared, self.repository));
        done.map_err(|error| {
            let authenticated = self.credentials.is_some_and(|credentials| !credentials.is_anonymous());
            classify(&error, self.url, &meter, authenticated)
        })
    }

    fn prepare(&self, meter: &Arc<Meter>, authorization: Authorization, extra: &[String]) -> gix::Result<Prepared<'_>> {
        let url = gix::Url::try_from(self.url.to_string())?;
        let specs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "HEAD"];
        let specs = specs.into_iter().chain(extra.iter().map(String::as_str));
        let remote = self
            .repository
            .remote_at_without_url_rewrite(url.clone())?
            .with_fetch_tags(Tags::None)
            .with_refspecs(specs, gix::remote::Direction::Fetch)?;
        let http = MeteredHttp::new(Arc::clone(meter));
        let mut transport = Transport::new_http(http, url, gix::protocol::transport::Protocol::V2, false);
        let mut headers = Vec::new();
        match authorization {
            Authorization::None => {}
            Authorization::Account(account) => transport.set_identity(account).map_err(gix::Error::from_error)?,
            Authorization::Header(header) => headers.extend(header.expose_text().map(str::to_owned)),
        }
        let connection = remote
            .to_connection_with_transport(transport)
            .with_credentials(|_| Ok(None))
            .with_transport_options(Box::new(self.http_options(headers)));
        connection.prepare_fetch(gix::progress::Discard, gix::remote::ref_map::Options::default())
    }

    fn http_options(&self, extra_headers: Vec<String>) -> http::Options {
        let (connect, idle) = (self.limits.connect, self.limits.idle);
        let access = self
            .credentials
            .and_then(Credentials::transport)
            .cloned()
            .unwrap_or_default();
        let backend = http::reqwest::Options {
            configure_client: Some(Box::new(move |builder| {
                let builder = builder.connect_timeout(connect).timeout(idle);
                configure(builder, &access).map_err(|reason| gix::Error::from_error(std::io::Error::other(reason)))
            })),
            configure_request: None,
        };
        http::Options {
            extra_headers,
            backend: Some(Arc::new(Mutex::new(backend))),
            ..http::Options::default()
        }
    }

    /// How to prove who asks. What gix forwards after a redirect is dropped by it when the host changes; a header makes it refuse redirects.
    fn authorization(&self) -> Result<Authorization, SourceError> {
        let Some(credentials) = self.credentials.filter(|credentials| !credentials.is_anonymous()) else {
            return Ok(Authorization::None);
        };
        let refuse = |reason: &str| SourceError::Protocol {
            url: self.url.to_string(),
            reason: reason.to_owned(),
        };
        if !credentials.fits(self.url) {
            return Err(refuse(
                "the credentials are for another host and were not sent; give this host its own",
            ));
        }
        let encrypted = self.url.to_string().starts_with("https://");
        if !encrypted && !credentials.clear_text() {
            return Err(refuse(
                "credentials are not sent in clear text over http://; use https://",
            ));
        }
        match credentials.account().filter(|_| encrypted) {
            Some(account) => Ok(Authorization::Account(account)),
            None => credentials
                .header()
                .map(Authorization::Header)
                .ok_or_else(|| refuse("the credentials hold characters that no HTTP header may hold")),
        }
    }
}

enum Authorization {
    None,
    Account(gix::sec::identity::Account),
    Header(SecretBytes),
}

/// The server's answer as a table.
fn table(prepared: &Prepared<'_>) -> RefTable {
    let mut head = Head::Unknown;
    let mut tips = BTreeMap::new();
    for reference in &prepared.ref_map().remote_refs {
        let (name, id) = match reference {
            Ref::Symbolic {
                full_ref_name, target, ..
            }
            | Ref::Unborn { full_ref_name, target }
                if full_ref_name == "HEAD" =>
            {
                head = Head::Symbolic(target.to_string());
                continue;
            }
            Ref::Direct { full_ref_name, object } if full_ref_name == "HEAD" => {
                head = Head::Detached(*object);
                continue;
            }
            Ref::Peeled { full_ref_name, tag, .. } => (full_ref_name, *tag),
            Ref::Direct { full_ref_name, object } => (full_ref_name, *object),
            Ref::Symbolic {
                full_ref_name,
                tag,
                object,
                ..
            } => (full_ref_name, tag.unwrap_or(*object)),
            Ref::Unborn { .. } => continue,
        };
        let name = name.to_string();
        if name.starts_with(HEADS) || name.starts_with(TAGS) {
            tips.insert(name, id);
        }
    }
    RefTable { head, tips }
}

/// Removes the mirror's refs that the server has no more. Their objects stay.
fn forget_deleted(repository: &gix::Repository, table: &RefTable) -> gix::Result {
    let mut edits = Vec::new();
    for reference in repository.references()?.all()? {
        let name = reference?.name().to_owned();
        let text = name.as_bstr().to_string();
        if (text.starts_with(HEADS) || text.starts_with(TAGS)) && !table.tips.contains_key(&text) {
            let change = Change::Delete {
                expected: PreviousValue::Any,
                log: RefLog::AndReference,
            };
            edits.push(RefEdit {
                change,
                name,
                deref: false,
            });
        }
    }
    if !edits.is_empty() {
        repository.edit_references(edits)?;
    }
    Ok(())
}
