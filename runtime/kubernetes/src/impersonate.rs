//! Writing as somebody else, once it is proven that this is what happens.
//!
//! **Problem.** As whom a request is made is a header. What stands between us and the API server (a proxy that authenticates for us, a gateway
//! that knows the headers it lets through) may drop it, and then the request is ours, with all that we may do.
//!
//! **Invariants.** Before the first write as an account, the server is asked as whom it sees us with that header. Unless it names the account,
//! nothing is written. It is asked once an account and connection, and nobody else waits for that answer.

use capstan_model::{GroupKind, ServiceAccount};
use http::Method;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::request::{Ask, JSON, RequestError};

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

impl Cluster {
    /// Fails unless a request as `account` is one.
    pub(crate) async fn prove(&self, account: &ServiceAccount) -> Result<(), RequestError> {
        let user = account.to_string();
        let proof = self.proof(&user);
        proof.get_or_try_init(|| self.ask_as(account, &user)).await.copied()
    }

    /// Asks the server as whom it sees a request as `account`.
    async fn ask_as(&self, account: &ServiceAccount, user: &str) -> Result<(), RequestError> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let ask = Ask::write(Method::POST, REVIEWS.into(), JSON, &review).acting_as(account);
        let kind = GroupKind::new("authentication.k8s.io", "SelfSubjectReview");
        let answer = self.send("create", &kind, ask).await;
        let seen = match answer.and_then(|answer| answer.json(REVIEWS)) {
            Ok(review) => seen_as(&review),
            // Who may not ask is named.
            Err(RequestError::Status(status)) if names(&status.message, user) => user.to_owned(),
            Err(error) => return Err(unproven(error, user)),
        };
        if seen != user {
            let reason = format!(
                "nothing was written: it was to be written as {user}, and the API server sees {seen:?}; something on the way to it drops \
                 the header Impersonate-User"
            );
            return Err(RequestError::Impossible { reason });
        }
        Ok(())
    }
}

fn seen_as(review: &Value) -> String {
    let user = review.pointer("/status/userInfo/username").and_then(Value::as_str);
    user.unwrap_or_default().to_owned()
}

fn names(message: &str, user: &str) -> bool {
    message.contains(&format!("User {user:?} cannot create resource \"selfsubjectreviews\""))
}

/// Whatever became of the question, nothing was written.
fn unproven(error: RequestError, user: &str) -> RequestError {
    match error {
        RequestError::Unanswered { url, reason } => RequestError::Unreachable { url, reason },
        RequestError::Malformed { .. } => RequestError::Impossible {
            reason: format!("nothing was written: it cannot be told whether {user} would write it: {error}"),
        },
        RequestError::Status(status) if status.code == 404 => RequestError::Impossible {
            reason: format!(
                "nothing was written: it cannot be told whether {user} would write it, since the server does not serve SelfSubjectReviews \
                 (Kubernetes 1.28 and later do)"
            ),
        },
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use capstan_engine::effect::{ApplyMode, ApplyTask, DryRun};
    use capstan_engine::event::WriteError;
    use capstan_model::{Blob, ClusterId, GroupVersionKind, Identity, ResourceKey, Timestamp};
    use capstan_sim::front_ends::{Cluster as WorldCluster, WorldService};
    use capstan_sim::{Options, World};
    use kube::client::Body;
    use tower::ServiceExt as _;

    use super::*;
    use crate::ClusterSettings;

    fn task(name: &str) -> ApplyTask {
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}});
        ApplyTask {
            cluster: ClusterId::in_cluster(),
            key: ResourceKey::new("", "ConfigMap", "default", name),
            gvk: GroupVersionKind::from_api_version("v1", "ConfigMap"),
            object: Blob::new(&object),
            mode: ApplyMode::ServerSide { force: true },
            dry_run: DryRun::No,
            validate: true,
            recreate: false,
        }
    }

    /// A connection as the account `default:deployer`, what it writes, and how often it asked. `drops`: the header gets lost on the way.
    async fn connect(drops: bool) -> (Cluster, Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) {
        let epoch = Timestamp::from_seconds(1_772_000_000);
        let world = WorldCluster::new(World::new(epoch, Options::default()), epoch);
        let (written, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (writes, asks) = (written.clone(), asked.clone());
        let service = WorldService::new(world).map_request(move |mut request: http::Request<Body>| {
            if request.uri().path() == REVIEWS {
                asks.fetch_add(1, Ordering::Relaxed);
            } else if request.method() != Method::GET {
                writes.lock().unwrap().push(request.uri().path().to_owned());
            }
            if drops {
                request.headers_mut().remove("impersonate-user");
            }
            request
        });
        let cluster = Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
        cluster.discover().await.unwrap();
        let account = ServiceAccount::new("default", "deployer").unwrap();
        (cluster.acting_as(Identity::ServiceAccount(account)), written, asked)
    }

    #[tokio::test]
    async fn nothing_is_written_where_the_header_gets_lost() {
        let (cluster, written, _) = connect(true).await;
        let refused = cluster.apply(&task("a")).await;
        let Err(WriteError::Invalid(why)) = refused else {
            panic!("{refused:?}")
        };
        assert!(
            why.contains("system:serviceaccount:default:deployer") && why.contains("\"admin\""),
            "{why}"
        );
        assert!(written.lock().unwrap().is_empty(), "{written:?}");
    }

    #[tokio::test]
    async fn an_account_is_asked_about_once() {
        let (cluster, written, asked) = connect(false).await;
        for name in ["a", "b"] {
            let refused = cluster.apply(&task(name)).await;
            assert!(
                matches!(refused, Err(WriteError::Forbidden(_))),
                "it has no rights: {refused:?}"
            );
        }
        assert_eq!(written.lock().unwrap().len(), 2);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    /// The server does not answer as whom it sees one account; another one is written as meanwhile, and asked about once by all its writes.
    #[tokio::test]
    async fn nobody_waits_for_the_answer_about_another() {
        let epoch = Timestamp::from_seconds(1_772_000_000);
        let world = WorldService::new(WorldCluster::new(World::new(epoch, Options::default()), epoch));
        let asked = Arc::new(AtomicUsize::new(0));
        let asks = asked.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (world, asks) = (world.clone(), asks.clone());
            async move {
                if request.uri().path() == REVIEWS {
                    let user = request.headers()["impersonate-user"].clone();
                    if user.as_bytes().ends_with(b":silent") {
                        return std::future::pending().await;
                    }
                    asks.fetch_add(1, Ordering::Relaxed);
                }
                world.oneshot(request).await
            }
        });
        let cluster = Cluster::from_service(ClusterId::in_cluster(), service, ClusterSettings::default());
        cluster.discover().await.unwrap();
        let account = |name| Identity::ServiceAccount(ServiceAccount::new("default", name).unwrap());
        let silent = cluster.acting_as(account("silent"));
        let waits = tokio::spawn(async move { silent.apply(&task("a")).await });
        tokio::task::yield_now().await;
        let deployer = cluster.acting_as(account("deployer"));
        let (one, other) = (task("b"), task("c"));
        let (one, other) = tokio::join!(deployer.apply(&one), deployer.apply(&other));
        for refused in [one, other] {
            assert!(matches!(refused, Err(WriteError::Forbidden(_))), "{refused:?}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(!waits.is_finished());
        waits.abort();
    }

    #[test]
    fn whoever_is_named_in_a_refusal_is_seen() {
        let user = "system:serviceaccount:default:deployer";
        let said = |user: &str| {
            format!("… is forbidden: User {user:?} cannot create resource \"selfsubjectreviews\" in API group …")
        };
        assert!(names(&said(user), user));
        assert!(!names(&said("admin"), user));
    }
}
