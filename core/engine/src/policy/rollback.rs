//! Going back to a row of an application's history.

use capstan_model::{Application, Operation, OperationInitiator, SyncOperation, SyncStrategy, SyncStrategyForce};

/// Why an application is not rolled back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackRefusal {
    /// It would be synced to the newest commit again at once.
    #[error(
        "{name} is synced automatically, which would undo a rollback at once: revert the commit in Git, or switch \
         spec.syncPolicy.automated off first"
    )]
    Automated {
        /// The application.
        name: String,
    },
    /// There is no such row.
    #[error("{name} has no row {id} in its history{}", known(.rows))]
    NoRow {
        /// The application.
        name: String,
        /// Asked for.
        id: u64,
        /// Those that there are.
        rows: Vec<u64>,
    },
    /// A row of a time when sources were not recorded.
    #[error("row {id} of the history of {name} does not say from which source it was synced: it cannot be repeated")]
    NoSource {
        /// The application.
        name: String,
        /// Asked for.
        id: u64,
    },
}

fn known(rows: &[u64]) -> String {
    match rows {
        [] => ", which is empty".to_owned(),
        rows => format!(
            ": there are {}",
            rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The operation that brings `application` back to row `id` of its history: its sources at its commits, without hooks, as Argo CD does it.
pub fn rollback(application: &Application, id: u64, by: &str, prune: bool) -> Result<Operation, RollbackRefusal> {
    let name = application.id().to_string();
    if application.spec.sync_policy.automation().is_some() {
        return Err(RollbackRefusal::Automated { name });
    }
    let history = &application.status.history;
    let Some(row) = history.iter().find(|row| row.id == id) else {
        let rows = history.iter().map(|row| row.id).collect();
        return Err(RollbackRefusal::NoRow { name, id, rows });
    };
    let has_sources = row.source.is_some() && !row.revision.is_empty()
        || !row.sources.is_empty() && row.sources.len() == row.revisions.len();
    if !has_sources {
        return Err(RollbackRefusal::NoSource { name, id });
    }
    let strategy = SyncStrategy {
        apply: Some(SyncStrategyForce::default()),
        hook: None,
    };
    Ok(Operation {
        initiated_by: OperationInitiator {
            username: by.to_owned(),
            automated: false,
        },
        sync: Some(SyncOperation {
            revision: row.revision.clone(),
            revisions: row.revisions.clone(),
            source: row.source.clone(),
            sources: row.sources.clone(),
            prune,
            sync_strategy: Some(strategy),
            sync_options: application.spec.sync_policy.sync_options.clone(),
            ..SyncOperation::default()
        }),
        ..Operation::default()
    })
}
