//! Deletes that Argo CD's engine made and `guards: argo` did not, where a case first goes otherwise.
//!
//! What comes after the first difference follows from it, so only that is looked at; and it explains a case only if nothing else is other
//! there. Whose delete it is, and what keeps it, is read from the case.

use super::case::{Case, Round, Row, key_of};
use super::end::{is_hook, may_be_deleted, may_be_pruned};
use super::replay::Played;
use super::trouble::homes;

/// What keeps an object from being deleted, guards of Argo CD or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The application does not track it.
    NotTracked,
    /// It is no earlier run of the hook that bears its name, and this sync may not prune it.
    Ordinary,
    /// What is declared, or may not be pruned, lives in it or is of its kind.
    Needed,
    /// It is the run that this very pass made: the earlier one was on its way out.
    JustMade,
}

/// Does a case go otherwise first by deletes that are left undone, each for a reason, and the first of them for this one?
pub(crate) fn is_kept(case: &Case, played: &Played, reason: Kept) -> bool {
    let rows = undone(case, played);
    let reasons: Option<Vec<Kept>> = rows.iter().map(|row| kept(case, row)).collect();
    reasons.is_some_and(|reasons| reasons.first() == Some(&reason))
}

fn kept(case: &Case, row: &Row) -> Option<Kept> {
    if is_made(case, &row.key) {
        return Some(Kept::Needed);
    }
    let live = case.live.iter().find(|live| key_of(&live.obj) == row.key)?;
    let is_inside = |key: &String| homes(key).contains(&row.key);
    let mut declared = case.desired.iter().map(key_of);
    let inside = case.live.iter().filter(|live| is_inside(&key_of(&live.obj)));
    let mut staying = inside.filter(|live| !may_be_deleted(case, &key_of(&live.obj), &live.obj));
    let of_hook = row.has("hook");
    let ordinary = !is_hook(&live.obj) && of_hook && !live.deleting && !may_be_pruned(case, &row.key, &live.obj);
    let mut hooks = case.desired.iter().filter(|object| key_of(object) == row.key);
    let runs_twice = hooks.any(|object| crate::differences::phases(object) > 1);
    match () {
        () if live.unmanaged => Some(Kept::NotTracked),
        () if ordinary => Some(Kept::Ordinary),
        () if live.deleting && of_hook && runs_twice => Some(Kept::JustMade),
        () if declared.any(|key| is_inside(&key)) || staying.next().is_some() => Some(Kept::Needed),
        () => None,
    }
}

/// The namespace that `CreateNamespace=true` says has to be there.
fn is_made(case: &Case, key: &str) -> bool {
    let is_asked = case
        .op
        .sync_options
        .iter()
        .any(|option| option == "CreateNamespace=true");
    is_asked && key == format!("/Namespace//{}", case.app.namespace)
}

/// What the recording deletes where the two first differ, and ours does not; nothing where anything else is other there.
fn undone(case: &Case, played: &Played) -> Vec<Row> {
    for (wanted, found) in case.expect.all_rounds().iter().zip(&played.rounds) {
        let [all, ours] = [wanted, found].map(batches);
        let at = all
            .iter()
            .zip(&ours)
            .take_while(|(wanted, found)| wanted == found)
            .count();
        if at == all.len() && at == ours.len() && wanted.phase == found.phase {
            continue;
        }
        let Some(asked) = all.get(at) else { break };
        let made = ours.get(at).map(Vec::as_slice).unwrap_or_default();
        let (same, missing): (Vec<Row>, Vec<Row>) = asked.iter().cloned().partition(|row| made.contains(row));
        let is_all = missing.iter().all(|row| row.op == "delete") && (same.is_empty() || same == made);
        return if is_all { missing } else { Vec::new() };
    }
    Vec::new()
}

/// Requests that change something, batch by batch.
fn batches(round: &Round) -> Vec<Vec<Row>> {
    let real = |rows: &Vec<Row>| rows.iter().filter(|row| row.is_real()).cloned().collect::<Vec<_>>();
    round.ops.iter().map(real).filter(|rows| !rows.is_empty()).collect()
}
