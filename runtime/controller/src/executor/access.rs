//! What a request does to a cluster, and as whom.

use capstan_engine::event::WriteError;
use capstan_model::Identity;

/// What a request does to a cluster. One that writes goes out only while this replica leads, whatever the engine believed when it asked.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// To an Application itself: the controller's own.
    Record,
    /// To what an Application deploys, as somebody; an `Err` where nobody may be meant.
    Deploy(Result<Identity, WriteError>),
}

impl Access {
    /// To what is deployed. Nobody is not the controller, and where it impersonates, the controller is not anybody.
    pub(super) fn deploy(identity: Option<Identity>, impersonates: bool) -> Self {
        let why = match identity {
            Some(Identity::Controller) if impersonates => {
                "it was to be done with the controller's own rights, and what is deployed impersonates a service account"
            }
            Some(identity) => return Self::Deploy(Ok(identity)),
            None => "it is not decided as whom",
        };
        Self::Deploy(Err(WriteError::Forbidden(format!("nothing was written: {why}"))))
    }
}

#[cfg(test)]
mod tests {
    use capstan_model::ServiceAccount;

    use super::*;

    #[test]
    fn nobody_is_not_the_controller() {
        let account = Identity::ServiceAccount(ServiceAccount::new("shop", "deployer").unwrap());
        for (identity, impersonates, is_done) in [
            (Some(account.clone()), true, true),
            (Some(account), false, true),
            (Some(Identity::Controller), false, true),
            (Some(Identity::Controller), true, false),
            (None, true, false),
            (None, false, false),
        ] {
            let access = Access::deploy(identity.clone(), impersonates);
            let expected = identity.filter(|_| is_done);
            assert_eq!(matches!(&access, Access::Deploy(Ok(_))), is_done);
            if let Access::Deploy(done) = access {
                assert_eq!(done.ok(), expected, "as itself, or not at all");
            }
        }
    }
}
