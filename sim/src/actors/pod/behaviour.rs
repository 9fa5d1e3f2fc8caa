//! What the containers of a Pod do.

use std::time::Duration;

use serde_json::Value;

use crate::{at, text};

/// The annotation of a Pod (or of a workload's Pod template) that says what its containers do:
/// `run`, `crash`, `unready`, `missing-image`, `exit` or `exit:<code>`.
const ANNOTATION: &str = "world.capstan.dev/behaviour";

/// What the containers of a Pod do.
///
/// The annotation decides. Without it: a word in an image's tag (`broken`, `crash`, `fail`, `unready`, `unhealthy`, `missing`,
/// `nonexistent`, parted from the rest by `-`, `.` or `_`), then a command that can only end one way (`false`, `true`,
/// `sh -c "… exit 3"`, `sleep 5`). A Pod that is not restarted always (a Job's) ends with code 0; any other runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Runs and becomes ready.
    Run,
    /// Runs and never becomes ready.
    Unready,
    /// Its image cannot be pulled.
    MissingImage,
    /// Ends with this code after a while.
    Exit {
        /// Exit code.
        code: i32,
        /// How long it runs; the profile's when `None`.
        after: Option<Duration>,
    },
}

impl Behaviour {
    /// Of a Pod.
    pub fn of(pod: &Value) -> Self {
        let annotation = at(pod, &["metadata", "annotations", ANNOTATION]).and_then(Value::as_str);
        if let Some(behaviour) = annotation.and_then(Self::named) {
            return behaviour;
        }
        let containers = at(pod, &["spec", "containers"]).and_then(Value::as_array);
        let all: Vec<&Value> = containers.into_iter().flatten().collect();
        if let Some(behaviour) = all
            .iter()
            .find_map(|container| Self::of_tag(text(container, &["image"])))
        {
            return behaviour;
        }
        if let Some(behaviour) = all.iter().find_map(|container| Self::of_command(container)) {
            return behaviour;
        }
        match text(pod, &["spec", "restartPolicy"]) {
            "Never" | "OnFailure" => Self::Exit { code: 0, after: None },
            _ => Self::Run,
        }
    }

    fn named(word: &str) -> Option<Self> {
        Some(match word.split_once(':').unwrap_or((word, "")) {
            ("run", "") => Self::Run,
            ("crash", "") => Self::Exit { code: 1, after: None },
            ("unready", "") => Self::Unready,
            ("missing-image", "") => Self::MissingImage,
            ("exit", code) => Self::Exit {
                code: if code.is_empty() { 0 } else { code.parse().ok()? },
                after: None,
            },
            _ => return None,
        })
    }

    fn of_tag(image: &str) -> Option<Self> {
        let last = image.rsplit('/').next().unwrap_or_default();
        let (_, tag) = last.split_once(':')?;
        tag.split(['-', '.', '_']).find_map(|word| match word {
            "broken" | "crash" | "fail" | "failing" => Some(Self::Exit { code: 1, after: None }),
            "unready" | "unhealthy" => Some(Self::Unready),
            "missing" | "nonexistent" => Some(Self::MissingImage),
            _ => None,
        })
    }

    fn of_command(container: &Value) -> Option<Self> {
        let words = ["command", "args"]
            .into_iter()
            .filter_map(|field| container.get(field)?.as_array());
        let words: Vec<&str> = words.flatten().filter_map(Value::as_str).collect();
        let program = words.first()?.rsplit('/').next().unwrap_or_default();
        match program {
            "false" => Some(Self::Exit { code: 1, after: None }),
            "true" => Some(Self::Exit { code: 0, after: None }),
            "sleep" => words
                .get(1)?
                .trim_end_matches('s')
                .parse()
                .ok()
                .map(|seconds| Self::Exit {
                    code: 0,
                    after: Some(Duration::from_secs(seconds)),
                }),
            "sh" | "bash" | "ash" => words.get(2).and_then(|script| Self::of_script(script)),
            _ => None,
        }
    }

    /// A script that ends with `exit N`, after the sleeps in it.
    fn of_script(script: &str) -> Option<Self> {
        let words: Vec<&str> = script
            .split(|c: char| c.is_whitespace() || c == ';' || c == '&')
            .filter(|w| !w.is_empty())
            .collect();
        let numbers_after = |name: &'static str| {
            let pairs = words.windows(2).filter(move |pair| pair[0] == name);
            pairs.filter_map(|pair| pair[1].trim_matches(['"', '\'']).parse::<u64>().ok())
        };
        let seconds: u64 = numbers_after("sleep").sum();
        let after = (seconds > 0).then(|| Duration::from_secs(seconds));
        if let Some(code) = numbers_after("exit").next_back() {
            return Some(Self::Exit {
                code: i32::try_from(code).ok()?,
                after,
            });
        }
        after.map(|after| Self::Exit {
            code: 0,
            after: Some(after),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers build it for this call")]
    fn of(container: Value, policy: &str) -> Behaviour {
        Behaviour::of(&json!({"spec": {"restartPolicy": policy, "containers": [container]}}))
    }

    #[test]
    fn an_image_tag_tells() {
        assert_eq!(
            of(json!({"image": "registry:5000/web:3.2.0"}), "Always"),
            Behaviour::Run
        );
        assert_eq!(
            of(json!({"image": "registry:5000/web:3.3.0-broken"}), "Always"),
            Behaviour::Exit { code: 1, after: None }
        );
        assert_eq!(of(json!({"image": "web:2-unready"}), "Always"), Behaviour::Unready);
        assert_eq!(of(json!({"image": "web:missing"}), "Always"), Behaviour::MissingImage);
        assert_eq!(of(json!({"image": "broken/web:1"}), "Always"), Behaviour::Run);
    }

    #[test]
    fn a_command_that_can_only_end_one_way_tells() {
        let exit = |code, seconds: Option<u64>| Behaviour::Exit {
            code,
            after: seconds.map(Duration::from_secs),
        };
        assert_eq!(
            of(json!({"image": "a", "command": ["/bin/false"]}), "Never"),
            exit(1, None)
        );
        assert_eq!(
            of(
                json!({"image": "a", "command": ["sh", "-c", "echo x; sleep 2; exit 3"]}),
                "Never"
            ),
            exit(3, Some(2))
        );
        assert_eq!(
            of(json!({"image": "a", "command": ["sleep", "5"]}), "Never"),
            exit(0, Some(5))
        );
        assert_eq!(
            of(json!({"image": "a", "command": ["/app/serve"]}), "Never"),
            exit(0, None)
        );
        assert_eq!(
            of(json!({"image": "a", "command": ["/app/serve"]}), "Always"),
            Behaviour::Run
        );
    }

    #[test]
    fn the_annotation_decides() {
        let pod = json!({
            "metadata": {"annotations": {ANNOTATION: "exit:7"}},
            "spec": {"restartPolicy": "Never", "containers": [{"image": "a:broken"}]},
        });
        assert_eq!(Behaviour::of(&pod), Behaviour::Exit { code: 7, after: None });
    }
}
