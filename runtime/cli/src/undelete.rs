//! `capstan undelete`: what was deleted and is kept, and having it back.

use std::path::PathBuf;
use std::process::ExitCode;

use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
use capstan_engine::event::WriteError;
use capstan_kubernetes::{ClusterSettings, KeptObject, Restorable, restorable};
use capstan_model::{ApplicationId, Blob, GroupVersionKind, ResourceKey};
use clap::Args;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::{Format, complain, one_line, print, print_value, short, table};
use crate::session::{Session, in_session};

/// Who owns the fields of what is created again: not the controller, so that it takes them over as those of a stranger.
const MANAGER: &str = "capstan-undelete";

/// Arguments of `capstan undelete`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to create again, as the list shows it: `Deployment/prod/web`, `apps/Deployment/prod/web`, `Namespace/prod`; or the name of the Secret
    /// that keeps it. Without it, what is kept is listed.
    object: Option<String>,
    /// Only of this Application (`NAME` or `NAMESPACE/NAME`).
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Print what would be created, and create nothing.
    #[arg(long, requires = "object")]
    dry_run: bool,
    /// Kubeconfig of the cluster that the controller is in.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Namespace of the controller.
    #[arg(long, short, default_value = "argocd")]
    namespace: String,
    /// How to print it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// Lists, or creates again.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let kubeconfig = arguments.kubeconfig.clone();
    in_session(kubeconfig, &arguments.namespace, async |session| {
        let kept = kept(session, arguments.app.as_deref()).await?;
        match &arguments.object {
            None => {
                list(&kept, arguments.output);
                Ok(ExitCode::SUCCESS)
            }
            Some(object) => restore(session, &kept, object, arguments).await,
        }
    })
}

/// What is kept, the newest first. What cannot be understood is named on the way.
async fn kept(session: &Session, app: Option<&str>) -> Result<Vec<KeptObject>, CommandError> {
    let app = app.map(|name| session.id(name)).transpose()?;
    let found = session.cluster.kept(session.namespace()).await;
    let found = found.map_err(|error| {
        let namespace = session.namespace();
        CommandError::Api(format!("Secrets of namespace {namespace} cannot be listed: {error}"))
    })?;
    let mut kept = Vec::new();
    for one in found {
        match one {
            Ok(one) if app.as_ref().is_none_or(|app| one.application == *app) => kept.push(one),
            Ok(_) => {}
            Err(why) => complain(&one_line(&why)),
        }
    }
    kept.sort_by(|a, b| (b.deleted_at, &a.object).cmp(&(a.deleted_at, &b.object)));
    Ok(kept)
}

fn list(kept: &[KeptObject], output: Format) {
    match output {
        Format::Json | Format::Yaml => {
            let items: Vec<Value> = kept.iter().map(item).collect();
            print_value(&json!({"items": items}), output == Format::Yaml);
        }
        Format::Name => kept.iter().for_each(|one| print(&one_line(&one.object))),
        Format::Table | Format::Wide => {
            let columns = [
                "OBJECT",
                "APPLICATION",
                "REASON",
                "COMMIT",
                "DELETED",
                "KEPT UNTIL",
                "SECRET",
                "CAUSE",
            ];
            let shown = if output == Format::Wide { columns.len() } else { 6 };
            let rows: Vec<Vec<String>> = kept.iter().map(|one| row(one, shown)).collect();
            print(&table(columns.get(..shown).unwrap_or(&columns), &rows));
        }
    }
}

fn row(one: &KeptObject, shown: usize) -> Vec<String> {
    let commits: Vec<&str> = one.commit.split(' ').map(short).collect();
    let until = match one.manifest() {
        Ok(_) => one.expires_at.to_string(),
        Err(why) => format!("not kept: {why}"),
    };
    let mut row = vec![
        one.object.clone(),
        one.application.to_string(),
        one.reason.clone(),
        commits.join(" "),
        one.deleted_at.to_string(),
        until,
        one.secret.clone(),
        one.cause.clone(),
    ];
    row.truncate(shown);
    row.iter().map(|cell| one_line(cell)).collect()
}

/// Everything but the manifest.
fn item(one: &KeptObject) -> Value {
    json!({
        "object": one.object, "application": one.application.to_string(), "reason": one.reason, "commit": one.commit,
        "cause": one.cause, "deletedAt": one.deleted_at.to_string(), "expiresAt": one.expires_at.to_string(),
        "secret": one.secret, "notKept": one.manifest().err(),
    })
}

/// The one that `text` names: of several of one object the one that was deleted last.
fn choose<'a>(kept: &'a [KeptObject], text: &str) -> Result<&'a KeptObject, CommandError> {
    let mut named = kept.iter().filter(|one| one.is_named(text));
    let Some(newest) = named.next() else {
        return Err(CommandError::Usage(format!(
            "nothing that is kept is named {text:?}: `capstan undelete` lists what is"
        )));
    };
    match named.find(|one| one.object != newest.object) {
        None => Ok(newest),
        Some(other) => Err(CommandError::Usage(format!(
            "{text:?} names {} and {}: give the kind with its group, or the name of the Secret",
            newest.object, other.object
        ))),
    }
}

async fn restore(
    session: &Session,
    kept: &[KeptObject],
    text: &str,
    arguments: &Arguments,
) -> Result<ExitCode, CommandError> {
    let one = choose(kept, text)?;
    let unusable = |why: &str| CommandError::Usage(format!("{} cannot be created again: {why}", one.object));
    let (key, gvk) = one.identity().map_err(unusable)?;
    let Restorable { object, lost } = restorable(one.manifest().map_err(unusable)?);
    let live = session.cluster.observe(&key, &gvk).await;
    let live = live.map_err(|error| CommandError::Api(error.to_string()))?;
    if arguments.dry_run {
        print_value(&object, arguments.output != Format::Json);
        if live.is_some() {
            complain(&format!("{key} is there: it would not be created"));
        }
        lost.iter().for_each(|lost| complain(lost));
        return Ok(ExitCode::SUCCESS);
    }
    if live.is_some() {
        return Err(CommandError::Usage(format!(
            "{key} is there, and is not touched: delete it first, or look at what is kept with --dry-run"
        )));
    }
    create(session, &key, &gvk, &object).await?;
    print(&format!("{key} is there again, as it was at {}", one.deleted_at));
    lost.iter().for_each(|lost| complain(lost));
    complain(&next(one));
    Ok(ExitCode::SUCCESS)
}

async fn create(
    session: &Session,
    key: &ResourceKey,
    gvk: &GroupVersionKind,
    object: &Value,
) -> Result<(), CommandError> {
    let cluster = session.cluster.under(ClusterSettings {
        field_manager: MANAGER.to_owned(),
        ..session.cluster.settings().clone()
    });
    let task = ApplyTask {
        cluster: cluster.id().clone(),
        key: key.clone(),
        gvk: gvk.clone(),
        object: Blob::new(object),
        mode: ApplyMode::Create,
        dry_run: DryRun::No,
        validate: false,
        recreate: false,
    };
    match cluster.apply(&task).await {
        Ok(_) => Ok(()),
        Err(WriteError::Conflict(why)) => Err(CommandError::Api(format!("somebody else made {key} meanwhile: {why}"))),
        Err(WriteError::NotFound(why)) => Err(CommandError::Api(format!(
            "{key} cannot be created: {why}. What it lives in, its namespace or the definition of its kind, has to be there first"
        ))),
        Err(error) => Err(CommandError::Api(format!(
            "{key} cannot be created: {error}. --dry-run prints it, to be put right by hand"
        ))),
    }
}

/// What keeps it from being managed, and what changes that.
fn next(one: &KeptObject) -> String {
    let ApplicationId { namespace, name } = &one.application;
    let how = match one.reason.as_str() {
        "Cascade" => format!("Create Application {namespace}/{name} again, and it manages it again"),
        "Recreate" => format!("The next sync of {namespace}/{name} writes it as Git has it"),
        "Convert" => format!(
            "Revert the commit that made it a hook ({}), and {namespace}/{name} manages it again",
            short(&one.commit)
        ),
        _ => format!(
            "Revert the commit that removed it (it was pruned at {}), and {namespace}/{name} manages it again",
            short(&one.commit)
        ),
    };
    format!("it has no tracking id, and so belongs to no application and is not pruned. {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `data` is a manifest in base64, or nothing.
    fn kept(secret: &str, object: &str, reason: &str, manifest: Option<&str>) -> KeptObject {
        let data = manifest.map(|text| json!({"manifest.json": text}));
        let not_kept = if manifest.is_none() { "too large" } else { "" };
        let annotations = json!({"capstan.dev/application": "argocd/shop", "capstan.dev/object": object,
            "capstan.dev/reason": reason, "capstan.dev/commit": "0123456789abcdef0123456789abcdef01234567",
            "capstan.dev/not-kept": not_kept, "capstan.dev/cause": "a\nb",
            "capstan.dev/deleted-at": "2026-01-01T00:00:00Z", "capstan.dev/expires-at": "2026-01-02T00:00:00Z"});
        KeptObject::of(&json!({"metadata": {"name": secret, "annotations": annotations}, "data": data})).unwrap()
    }

    /// `{"apiVersion":"a.io/v1","kind":"Thing","metadata":{"name":"x"}}` and the same of `b.io`.
    const OF_A: &str = "eyJhcGlWZXJzaW9uIjoiYS5pby92MSIsImtpbmQiOiJUaGluZyIsIm1ldGFkYXRhIjp7Im5hbWUiOiJ4In19";
    const OF_B: &str = "eyJhcGlWZXJzaW9uIjoiYi5pby92MSIsImtpbmQiOiJUaGluZyIsIm1ldGFkYXRhIjp7Im5hbWUiOiJ4In19";

    #[test]
    fn the_newest_of_one_object_is_chosen_and_of_two_objects_none() {
        let a = kept("undelete-1", "Thing.a.io/x", "Prune", Some(OF_A));
        let older = kept("undelete-2", "Thing.a.io/x", "Prune", Some(OF_A));
        let b = kept("undelete-3", "Thing.b.io/x", "Prune", Some(OF_B));
        let all = [a, older, b];
        let chosen = |text: &str| choose(&all, text).map(|one| one.secret.as_str());
        assert_eq!(chosen("Thing.a.io/x").unwrap(), "undelete-1");
        assert_eq!(chosen("undelete-2").unwrap(), "undelete-2");
        assert_eq!(chosen("b.io/Thing/x").unwrap(), "undelete-3");
        let error = chosen("Thing/x").unwrap_err().to_string();
        assert!(error.contains("Thing.a.io/x and Thing.b.io/x"), "{error}");
        assert!(chosen("Thing/y").unwrap_err().to_string().contains("lists what is"));
    }

    #[test]
    fn a_list_has_no_manifest_and_says_what_is_not_kept() {
        let (one, none) = (
            kept("s", "Thing.a.io/x", "Prune", Some(OF_A)),
            kept("t", "Thing.a.io/y", "Prune", None),
        );
        assert_eq!(
            row(&one, 6),
            [
                "Thing.a.io/x",
                "argocd/shop",
                "Prune",
                "01234567",
                "2026-01-01T00:00:00Z",
                "2026-01-02T00:00:00Z"
            ]
        );
        assert_eq!(row(&one, 8).last().unwrap(), "a b");
        assert_eq!(row(&none, 6).last().unwrap(), "not kept: too large");
        let text = item(&one).to_string() + &item(&none).to_string();
        assert!(
            !text.contains("manifest") && !text.contains("a.io/v1") && text.contains("too large"),
            "{text}"
        );
    }

    #[test]
    fn what_is_next_depends_on_why_it_went() {
        for (reason, word) in [
            ("Prune", "Revert the commit"),
            ("Cascade", "Create Application"),
            ("Recreate", "next sync"),
        ] {
            assert!(next(&kept("s", "x", reason, Some(OF_A))).contains(word), "{reason}");
        }
    }
}
