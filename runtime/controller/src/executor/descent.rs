//! `TraceDescent`.

use capstan_engine::event::{Descent, SourceFailure};
use capstan_model::ApplicationSource;

use crate::sources::SourceProvider;

/// One answer a step, in order.
pub(super) async fn trace(
    provider: &dyn SourceProvider,
    steps: &[(ApplicationSource, String, String)],
) -> Result<Vec<Descent>, SourceFailure> {
    let mut traced = Vec::with_capacity(steps.len());
    for (source, from, to) in steps {
        traced.push(provider.descent(source, from, to).await?);
    }
    Ok(traced)
}
