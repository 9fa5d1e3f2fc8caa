//! Helm repositories behind HTTP: an index, asked for conditionally and shared, and packed charts that are what the index says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use reqwest::{Method, Url};

use super::access::{Access, Login};
use super::client::{Answer, Ask, Validators, Wire, shown};
use super::digest::Digest;
use super::flights::Flights;
use super::index::{Entry, Index, NotChosen};
use super::location::HttpLocation;
use crate::url::Origin;
use crate::{FetchPolicy, SourceError};

/// Indexes that are kept.
const MAX_INDEXES: usize = 128;

/// An index as it came last.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) index: Index,
    validators: Validators,
    /// Of its bytes.
    digest: Digest,
}

/// The indexes of all repositories.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    /// With when the server was asked last.
    known: Mutex<BTreeMap<String, (Arc<Known>, Instant)>>,
    flights: Flights<Result<Arc<Known>, SourceError>>,
    /// A large index takes much memory while it is parsed: one at a time.
    parsing: Mutex<()>,
}

/// One repository, spoken to on behalf of somebody.
pub(crate) struct Repository<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) indexes: &'a Indexes,
    pub(crate) location: &'a HttpLocation,
    pub(crate) access: &'a Access,
}

impl Repository<'_> {
    /// The index: what is known, or asked for anew when `policy` wants it and nobody asked just now.
    pub(crate) fn index(&self, policy: FetchPolicy) -> Result<Arc<Known>, SourceError> {
        let key = format!("{} {:x?}", self.location, self.access.fingerprint());
        if let Some((known, asked)) = self.indexes.find(&key)
            && (policy == FetchPolicy::Cached || asked.elapsed() < self.wire.limits().index_lifetime)
        {
            return Ok(known);
        }
        self.indexes.flights.share(&key, || {
            let before = self.indexes.find(&key).map(|(known, _)| known);
            let known = self.ask_for_index(before)?;
            self.indexes.keep(&key, &known);
            Ok(known)
        })
    }

    /// The entry of a version; an error says what there is.
    pub(crate) fn choose(&self, known: &Known, chart: &str, wanted: &str) -> Result<Entry, SourceError> {
        let url = self.location.to_string();
        let (chart, version) = (printable(chart), printable(wanted));
        known
            .index
            .choose(&chart, wanted)
            .cloned()
            .map_err(|error| match error {
                NotChosen::NoChart(reason) => SourceError::ChartNotFound { url, chart, reason },
                NotChosen::NoVersion(reason) => SourceError::ChartVersionNotFound {
                    url,
                    chart,
                    version,
                    reason,
                },
                NotChosen::Broken(reason) => SourceError::InvalidIndex {
                    url,
                    reason: format!("chart {chart:?}: {reason}"),
                },
            })
    }

    /// Where a version's packed chart is.
    pub(crate) fn chart_url(&self, entry: &Entry) -> Result<Url, SourceError> {
        let invalid = |reason: &str| SourceError::InvalidIndex {
            url: self.location.to_string(),
            reason: format!("version {}: {reason}", printable(&entry.version)),
        };
        if entry.url.trim().is_empty() {
            return Err(invalid("it names no URL of the packed chart"));
        }
        let base = self.below("")?;
        base.join(&entry.url)
            .map_err(|_| invalid("the URL of the packed chart is none"))
    }

    /// The bytes of a packed chart.
    pub(crate) fn archive(&self, url: &Url) -> Result<Vec<u8>, SourceError> {
        let home = match self.access.pass_credentials {
            true => Origin::of(url).map_err(|reason| SourceError::InvalidUrl {
                url: shown(url),
                reason: reason.to_owned(),
            })?,
            false => self.location.origin.clone(),
        };
        let limit = self.wire.limits().archive_bytes;
        let answer = self.get(url.clone(), "*/*", &home, None, (limit, "bytes of a packed chart"))?;
        if matches!(answer.status, 404 | 410) {
            return Err(SourceError::ChartRepositoryNotFound {
                url: answer.url,
                what: "the packed chart that the index names",
                next: "the index and the files of the repository do not agree; publish the chart again",
            });
        }
        match answer.is_success() {
            true => Ok(answer.body),
            false => Err(answer.error(!self.access.login.is_anonymous())),
        }
    }

    fn ask_for_index(&self, before: Option<Arc<Known>>) -> Result<Arc<Known>, SourceError> {
        let url = self.below("index.yaml")?;
        let limit = (self.wire.limits().index_bytes, "bytes of the index");
        let validators = before.as_ref().map(|known| &known.validators);
        let accept = "application/yaml, application/x-yaml, text/yaml, */*;q=0.5";
        let answer = self.get(url, accept, &self.location.origin, validators, limit)?;
        match (answer.status, before) {
            (304, Some(before)) => Ok(before),
            (404 | 410, _) => Err(SourceError::ChartRepositoryNotFound {
                url: answer.url,
                what: "the index of a Helm repository",
                next: "check the URL (index.yaml lies directly below it); a registry's begins with oci://",
            }),
            (_, before) if answer.is_success() => self.parse(answer, before),
            _ => Err(answer.error(!self.access.login.is_anonymous())),
        }
    }

    fn parse(&self, answer: Answer, before: Option<Arc<Known>>) -> Result<Arc<Known>, SourceError> {
        let digest = Digest::of(&answer.body);
        let validators = Validators {
            etag: answer.header("etag"),
            last_modified: answer.header("last-modified"),
        };
        if let Some(before) = before.filter(|before| before.digest == digest && before.validators == validators) {
            return Ok(before);
        }
        let _one = self.indexes.parsing.lock().unwrap_or_else(PoisonError::into_inner);
        let index = Index::parse(&answer.body).map_err(|reason| SourceError::InvalidIndex {
            url: answer.url,
            reason,
        })?;
        Ok(Arc::new(Known {
            index,
            validators,
            digest,
        }))
    }

    fn get(
        &self,
        url: Url,
        accept: &str,
        home: &Origin,
        validators: Option<&Validators>,
        (bytes, what): (u64, &'static str),
    ) -> Result<Answer, SourceError> {
        let refuse = |reason: &str| SourceError::Protocol {
            url: self.location.to_string(),
            reason: reason.to_owned(),
        };
        let header = self.access.login.header().map_err(refuse)?;
        if self.access.login != Login::Anonymous && !self.access.may_send_to(&self.location.origin) {
            return Err(refuse(super::CLEAR_TEXT));
        }
        let ask = Ask {
            method: Method::GET,
            url,
            accept,
            authorization: header.as_ref().map(|value| (value, home)),
            validators,
            bytes,
            what,
        };
        self.wire.send(&ask, self.access)
    }

    fn below(&self, name: &str) -> Result<Url, SourceError> {
        Url::parse(&format!("{}/{name}", self.location)).map_err(|_| SourceError::InvalidUrl {
            url: self.location.to_string(),
            reason: "it is no URL".to_owned(),
        })
    }
}

impl Indexes {
    fn find(&self, key: &str) -> Option<(Arc<Known>, Instant)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).cloned()
    }

    fn keep(&self, key: &str, index: &Arc<Known>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_INDEXES && !known.contains_key(key) {
            known.clear();
        }
        known.insert(key.to_owned(), (Arc::clone(index), Instant::now()));
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
