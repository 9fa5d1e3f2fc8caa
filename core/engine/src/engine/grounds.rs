//! Every delete says why: puts the chain of causes together, and asks for permits with it.

use std::collections::BTreeSet;

use capstan_model::annotations::DELETION_APPROVED;
use capstan_model::{ApplicationSource, ResourceKey, Timestamp};

use super::Engine;
use super::deletion::recorded;
use super::operation::{INFO_PLAN, OperationRun, info};
use super::state::ApplicationState;
use crate::effect::{EffectKind, Propagation};
use crate::event::{Keeping, ResolvedRevision};
use crate::guard::{CompleteLive, DeletePermit, DeleteReason, Grounds, PruneLimits, Rule, is_looked_into, rules_asked};
use crate::journal::Cause;
use crate::settings::Guards;

impl Engine {
    /// Why an operation deletes an object that nothing declares any more: the commit, what it renders to, and what was held against that.
    pub(super) fn prune_grounds(&self, app: &ApplicationState, operation: &OperationRun, key: &ResourceKey) -> Grounds {
        let is_automated = operation.is_automated();
        let options = operation.options(&app.application.spec);
        let mut decision = match (is_automated, operation.approved.contains_key(key)) {
            (true, true) => approval(app, key),
            (true, false) => "no rule holds it".to_owned(),
            (false, true) => format!("asked for by a person, {}", approval(app, key)),
            (false, false) => "asked for by a person".to_owned(),
        };
        if self.needs_confirmation(app, key, &options) {
            decision.push_str(&format!(", Prune=confirm{}", word(app)));
        }
        let limits = PruneLimits::of(&options);
        let as_argo = self.settings.guards == Guards::Argo;
        let rules = rules_asked(key, limits, !is_automated, as_argo);
        let rules: Vec<String> = rules.iter().map(Rule::to_string).collect();
        decision.push_str(&format!(" (looked at by {})", rules.join(", ")));
        of_operation(app, operation, DeleteReason::Prune, decision)
    }

    /// Why the deletion of an application deletes something.
    pub(super) fn deletion_grounds(app: &ApplicationState, reason: DeleteReason, decision: String) -> Grounds {
        let metadata = &app.application.metadata;
        let asked = metadata.deletion_timestamp.map(|at| format!(", asked for at {at}"));
        let (_, revisions): (Vec<ApplicationSource>, Vec<ResolvedRevision>) = recorded(app);
        let digest = app
            .last_operation
            .as_ref()
            .and_then(|state| info(&state.operation, INFO_PLAN));
        Grounds {
            application: app.id(),
            reason,
            operation: format!("deletion of the Application{}", asked.unwrap_or_default()),
            revisions: revisions.into_iter().map(|revision| revision.revision).collect(),
            digest: digest.unwrap_or_default().to_owned(),
            decision,
        }
    }

    /// The right to delete the object of this very identity: a hook, or what is made anew.
    pub(super) fn identity_permit(
        &self,
        app: &ApplicationState,
        key: &ResourceKey,
        uid: &str,
        grounds: Grounds,
    ) -> Option<Box<DeletePermit>> {
        let live = CompleteLive::of(&self.cluster(app)?.live, [&key.group_kind()]).ok()?;
        let is_hook = grounds.reason == DeleteReason::Hook && self.settings.guards == Guards::Capstan;
        let permit = DeletePermit::of_identity(live, key, uid, grounds, &self.settings.installation_id)?;
        Some(Box::new(match is_hook && is_looked_into(key, false) {
            // Nothing goes along with a hook.
            true => permit.with_contents(BTreeSet::new()),
            false => permit,
        }))
    }

    /// What is about to be deleted was kept for `undelete`, or was not.
    pub(super) fn note_keeping(
        &mut self,
        now: Timestamp,
        id: &capstan_model::ApplicationId,
        key: &ResourceKey,
        keeping: &Keeping,
    ) {
        let Some(app) = self.applications.remove(id) else {
            return;
        };
        let to = match keeping {
            Keeping::Kept { .. } => "Kept",
            Keeping::NotKept { .. } => "NotKept",
        };
        let message = keeping.to_string();
        self.note(now, &app, Some(key), "undelete", "", to, message, Cause::Cluster);
        self.applications.insert(id.clone(), app);
    }
}

/// Why an operation deletes something.
pub(super) fn of_operation(
    app: &ApplicationState,
    operation: &OperationRun,
    reason: DeleteReason,
    decision: String,
) -> Grounds {
    let number = operation.number;
    let initiator = &operation.operation.initiated_by;
    let mut what = match (initiator.automated, initiator.username.as_str()) {
        (true, _) => format!("automated sync {number}"),
        (false, "") => format!("sync {number}, asked for by a person"),
        (false, name) => format!("sync {number}, asked for by {name}"),
    };
    if operation.attempt > 0 {
        what.push_str(&format!(", attempt {}", operation.attempt + 1));
    }
    let digest = operation.targets.as_ref().map(|targets| targets.digest().to_string());
    let revisions = operation.revisions.iter();
    Grounds {
        application: app.id(),
        reason,
        operation: what,
        revisions: revisions.map(|revision| revision.revision.clone()).collect(),
        digest: digest.unwrap_or_default(),
        decision,
    }
}

/// A person's word, when it was given, and who wrote it.
pub(super) fn word(app: &ApplicationState) -> String {
    let metadata = &app.application.metadata;
    let Some(at) = metadata.annotations.get(DELETION_APPROVED) else {
        return String::new();
    };
    let by = match metadata.approved_by.as_str() {
        "" => String::new(),
        by => format!(" (written by {by})"),
    };
    format!(" by {DELETION_APPROVED}: {at}{by}")
}

/// By whose word an object goes that rules had held.
pub(super) fn approval(app: &ApplicationState, key: &ResourceKey) -> String {
    let holds = app.guarding.holds.iter();
    let approved = holds.filter(|hold| hold.is_approved && hold.finding.keys.contains(key));
    let rules: Vec<String> = approved
        .map(|hold| format!("{} [plan {}]", hold.finding.rule, hold.plan))
        .collect();
    let of = match rules.is_empty() {
        true => String::new(),
        false => format!(", of {}", rules.join(", ")),
    };
    format!("approved{}{of}", word(app))
}

/// A delete effect.
pub(super) fn delete(app: &ApplicationState, permit: Box<DeletePermit>, propagation: Propagation) -> EffectKind {
    EffectKind::Delete {
        cluster: app.application.spec.destination.cluster(),
        permit,
        propagation,
    }
}
