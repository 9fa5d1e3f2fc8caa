//! What can happen in a scenario, one file a verb.

mod controller_crash;
mod git_push;
mod kubectl_apply;
mod kubectl_delete;
mod kubectl_scale;

pub use controller_crash::Crash;
pub use git_push::Push;
pub use kubectl_apply::KubectlApply;
pub use kubectl_delete::KubectlDelete;
pub use kubectl_scale::KubectlScale;

use std::collections::BTreeMap;

use super::object::ObjectRef;
use crate::registry::Registry;
use crate::request::{Request, Response};

/// What scenarios act on: the engine over a world, or the complete runtime over one.
pub trait Stage {
    /// Sends one request to the cluster, now.
    fn request(&mut self, request: Request) -> Response;
    /// Looks at what the cluster serves.
    fn registry<T>(&self, look: impl FnOnce(&Registry) -> T) -> T;
    /// Moves the branch of a repository.
    fn push(&mut self, repository: &str, revision: &str);
    /// The controller dies and is started again at once. What it had asked for is lost, what it was told is forgotten.
    fn crash_controller(&mut self);
}

/// The files of a scenario's folder: path to text.
pub type Files = BTreeMap<String, String>;

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// `git.push`
    Push(Push),
    /// `kubectl.apply`
    KubectlApply(KubectlApply),
    /// `kubectl.scale`
    KubectlScale(KubectlScale),
    /// `kubectl.delete`
    KubectlDelete(KubectlDelete),
    /// `controller.crash`
    Crash(Crash),
}

/// Why something could not happen: the scenario does not fit the world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// There is no such file.
    #[error("{file} is not in the scenario's folder")]
    NoFile {
        /// Which.
        file: String,
    },
    /// A file cannot be read.
    #[error("{file}: {reason}")]
    File {
        /// Which.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster does not serve the kind.
    #[error("{object}: the cluster serves no such kind")]
    NotServed {
        /// Which.
        object: ObjectRef,
    },
    /// The cluster refused.
    #[error("{object}: {code}: {reason}")]
    Refused {
        /// Which.
        object: ObjectRef,
        /// HTTP status.
        code: u16,
        /// What the cluster said.
        reason: String,
    },
}

impl Action {
    /// Lets it happen.
    ///
    /// # Errors
    /// [`ActionError`] when it cannot: a scenario in which something fails to happen is wrong.
    pub fn perform(&self, stage: &mut impl Stage, files: &Files) -> Result<(), ActionError> {
        match self {
            Self::Push(push) => push.perform(stage),
            Self::KubectlApply(apply) => apply.perform(stage, files)?,
            Self::KubectlScale(scale) => scale.perform(stage)?,
            Self::KubectlDelete(delete) => delete.perform(stage)?,
            Self::Crash(crash) => crash.perform(stage),
        }
        Ok(())
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Push(push) => write!(f, "git push: {} is at {}", push.repository, push.revision),
            Self::KubectlApply(apply) => write!(f, "{} runs kubectl apply -f {}", apply.by, apply.file),
            Self::KubectlScale(scale) => write!(
                f,
                "{} runs kubectl scale {} --replicas={}",
                scale.by, scale.object, scale.replicas
            ),
            Self::KubectlDelete(delete) => write!(f, "{} runs kubectl delete {}", delete.by, delete.object),
            Self::Crash(_) => write!(f, "the controller dies and starts again"),
        }
    }
}

/// Sends what kubectl would send, and takes no refusal.
fn send(stage: &mut impl Stage, by: &str, object: &ObjectRef, mut request: Request) -> Result<Response, ActionError> {
    let mut user = crate::request::User::admin();
    by.clone_into(&mut user.name);
    request.user = Some(user);
    request.user_agent = Some("kubectl".into());
    let response = stage.request(request);
    if response.is_success() {
        return Ok(response);
    }
    Err(ActionError::Refused {
        object: object.clone(),
        code: response.code,
        reason: crate::text(response.value(), &["message"]).to_owned(),
    })
}

fn path_of(stage: &impl Stage, object: &ObjectRef) -> Result<String, ActionError> {
    stage
        .registry(|registry| object.path(registry))
        .ok_or_else(|| ActionError::NotServed { object: object.clone() })
}

/// Who does it, when the scenario does not say.
fn somebody() -> String {
    "admin".to_owned()
}
