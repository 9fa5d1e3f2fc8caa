//! `ResolveRevision`.

use capstan_engine::effect::Freshness;
use capstan_engine::event::{ResolvedRevision, SourceFailure};
use capstan_model::ApplicationSource;

use crate::sources::SourceProvider;

/// One commit a source, in order. One that cannot be resolved fails all: a comparison with half the sources is none.
pub(super) async fn resolve(
    provider: &dyn SourceProvider,
    sources: &[ApplicationSource],
    freshness: Freshness,
) -> Result<Vec<ResolvedRevision>, SourceFailure> {
    let mut resolved = Vec::with_capacity(sources.len());
    for source in sources {
        resolved.push(provider.resolve(source, freshness).await?);
    }
    Ok(resolved)
}
