//! Names that lead to addresses where no repository is: the second half of the rule that `url` holds for addresses written out.
//!
//! A name of a tenant's URL may resolve to a cloud's metadata service. So the addresses are looked at after resolving, and the
//! connection is made to those that were looked at: a name that answers differently the second time gains nothing.

use std::fmt;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::url::is_metadata;

/// Resolves with the system's resolver and refuses what [`is_metadata`] refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardedResolver;

/// All addresses of a name are of the refused kind.
#[derive(Debug)]
pub(crate) struct RefusedAddress;

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host's name leads to a link-local or metadata address, which is not read from")
    }
}

impl std::error::Error for RefusedAddress {}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(Box::new(allowed(found.collect())?.into_iter()) as Addrs)
        })
    }
}

fn allowed(mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, RefusedAddress> {
    let had_any = !found.is_empty();
    found.retain(|address| !is_metadata(address.ip()));
    if found.is_empty() && had_any {
        return Err(RefusedAddress);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_not_connected_to() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let mixed = vec![address("169.254.169.254"), address("192.0.2.7"), address("fe80::1")];
        assert_eq!(allowed(mixed).unwrap(), [address("192.0.2.7")]);
        assert!(allowed(vec![address("::ffff:169.254.169.254")]).is_err());
        assert!(allowed(Vec::new()).unwrap().is_empty());
    }
}
