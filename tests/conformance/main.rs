//! The simulated API server against the real one: the same requests to both, the same answers wanted.
//!
//! Starts etcd and kube-apiserver from the oracle folder (`CAPSTAN_ORACLES`, by default `~/.cache/capstan/oracles`, built by
//! `tests/oracles/build.sh`) and a world on a loopback port, plays hand-picked and generated sessions to both and compares each answer
//! after naming what no two servers share. Prints how many agree and each disagreement, and fails below the bar. A disagreement is a
//! bug, or a line with its reason in `sim/FIDELITY.md`.
//!
//! Deliberately absent: watches and controllers, which the recorded sessions and the actors' own tests hold.

mod cases;
mod client;
mod generate;
mod names;
mod servers;

use std::time::Instant;

use serde_json::Value;

use client::Client;
use names::Names;

/// Steps that must agree, of a thousand.
const BAR_PER_MILLE: usize = 990;
/// Sessions drawn.
const GENERATED: usize = 60;

/// One request of a session. `{ns}` in a path is the session's namespace.
#[derive(Clone, Debug)]
struct Step {
    method: &'static str,
    path: String,
    content_type: &'static str,
    body: Option<Value>,
}

/// Requests that follow each other in a namespace of their own.
#[derive(Clone, Debug)]
struct Session {
    name: String,
    steps: Vec<Step>,
}

/// What a server answered, with unshareable values named.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    code: u16,
    warnings: Vec<String>,
    body: Value,
}

async fn play(client: &Client, session: &Session) -> Result<Vec<Answer>, reqwest::Error> {
    let namespace = format!("conformance-{}", session.name);
    client.prepare(&namespace).await?;
    let mut names = Names::default();
    let mut answers = Vec::new();
    for step in &session.steps {
        let path = step.path.replace("{ns}", &namespace);
        let raw = client
            .send(step.method, &path, step.content_type, step.body.as_ref())
            .await?;
        answers.push(Answer {
            code: raw.code,
            warnings: raw.warnings.iter().map(|w| names.text(w)).collect(),
            body: names.walk(&raw.body),
        });
        if step.method == "DELETE" {
            names.release();
        }
    }
    Ok(answers)
}

/// The first place where two values differ.
fn difference(path: &str, real: &Value, ours: &Value) -> Option<String> {
    match (real, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            keys.into_iter().find_map(|key| {
                let at = format!("{path}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(x), Some(y)) => difference(&at, x, y),
                    (x, y) => Some(format!("{at}: real {}, ours {}", shown(x), shown(y))),
                }
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(i, (x, y))| difference(&format!("{path}[{i}]"), x, y))
        }
        _ if real == ours => None,
        _ => Some(format!(
            "{path}: real {}, ours {}",
            shown(Some(real)),
            shown(Some(ours))
        )),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".into(), |v| v.to_string().chars().take(240).collect())
}

fn compare(real: &Answer, ours: &Answer) -> Option<String> {
    if real.code != ours.code {
        let text = |a: &Answer| a.body["message"].as_str().unwrap_or_default().to_owned();
        return Some(format!(
            "code: real {} {}, ours {} {}",
            real.code,
            text(real),
            ours.code,
            text(ours)
        ));
    }
    if real.warnings != ours.warnings {
        return Some(format!("warnings: real {:?}, ours {:?}", real.warnings, ours.warnings));
    }
    difference("", &real.body, &ours.body)
}

#[test]
fn the_world_answers_as_the_real_api_server() {
    let Some(oracles) = servers::oracles() else {
        println!(
            "conformance: skipped, no etcd and kube-apiserver in the oracle folder (tests/oracles/build.sh builds them)"
        );
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let started = Instant::now();
        let real = servers::Real::start(&oracles).await.unwrap();
        let world = servers::world().await.unwrap();
        let (real_client, our_client) = (real.client(), Client::new(&world.url(), None).unwrap());
        let mut sessions = cases::all();
        sessions.extend(generate::sessions(GENERATED));
        let (mut equal, mut total) = (0, 0);
        for session in &sessions {
            let theirs = play(&real_client, session).await.unwrap();
            let ours = play(&our_client, session).await.unwrap();
            for (i, (step, (theirs, ours))) in session.steps.iter().zip(theirs.iter().zip(&ours)).enumerate() {
                total += 1;
                match compare(theirs, ours) {
                    None => equal += 1,
                    Some(why) => {
                        println!("{} step {} {} {}: {why}", session.name, i + 1, step.method, step.path);
                    }
                }
            }
        }
        println!(
            "conformance: {equal}/{total} in {:.1} s",
            started.elapsed().as_secs_f32()
        );
        assert!(total > 300, "the sessions were played");
        assert!(
            equal * 1000 >= total * BAR_PER_MILLE,
            "{equal} of {total} agree, the bar is {BAR_PER_MILLE} of 1000"
        );
    });
}
