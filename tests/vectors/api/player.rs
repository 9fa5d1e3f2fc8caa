//! Plays sessions to a world.

use std::sync::LazyLock;
use std::time::Duration;

use capstan_model::Timestamp;
use capstan_sim::{Answer, Body, Method, Request, Response, WatchPoll, World, parse_query, percent_decode};
use regex::Regex;
use serde_json::{Map, Value, json};

use super::names::Names;

/// How long a request takes.
const PACE: Duration = Duration::from_millis(3);
/// How often an unscored wait looks, and how often at most.
const PAUSE: Duration = Duration::from_millis(50);
const LOOKS: usize = 200;

/// A key, or an index in brackets.
static PART: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[^.\[\]]+|\[[^\]]+\]").expect("a constant pattern is valid"));

pub(super) struct Player {
    now: Timestamp,
    world: World,
}

/// What a session has kept for later.
type Saved = Map<String, Value>;

impl Player {
    pub(super) fn new(now: Timestamp, world: World) -> Self {
        Self { now, world }
    }

    /// The answers of a session's steps; `None` for a step that is not scored.
    pub(super) fn play(&mut self, session: &Value) -> Vec<Option<Value>> {
        let mut saved = Saved::new();
        if let Some(namespace) = session["namespace"].as_str() {
            let create = |name: &str| Some(json!({"metadata": {"name": name}}).to_string());
            let headers = Map::from_iter([("Content-Type".to_owned(), json!("application/json"))]);
            self.send("POST", "/api/v1/namespaces", create(namespace), &headers);
            let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
            self.send("POST", &accounts, create("default"), &headers);
        }
        saved.insert("ns".into(), session["namespace"].clone());
        let mut names = Names::default();
        let steps = session["steps"].as_array().into_iter().flatten();
        steps.map(|step| self.step(step, &mut saved, &mut names)).collect()
    }

    fn step(&mut self, step: &Value, saved: &mut Saved, names: &mut Names) -> Option<Value> {
        let path = substitute(&step["path"], saved);
        let path = path.as_str().unwrap_or_default();
        let mut headers = step["headers"].as_object().cloned().unwrap_or_default();
        let body = match step.get("body").map(|body| substitute(body, saved)) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
        };
        if body.is_some() {
            let form = step["type"].as_str().unwrap_or("application/json");
            headers.entry("Content-Type").or_insert_with(|| form.into());
        }
        if let Some(until) = step.get("until").and_then(Value::as_str) {
            self.wait(path, &headers, until, &step["is"]);
            return None;
        }
        let method = step["do"].as_str().unwrap_or_default();
        let response = self.send(method, path, body, &headers);
        if let Some(watch) = step.get("watch") {
            let bookmarks = watch == "bookmarks";
            return Some(self.events(&response, bookmarks, names));
        }
        let value = decoded(&response);
        for (name, place) in step["save"].as_object().into_iter().flatten() {
            let found = find(&value, place.as_str().unwrap_or_default());
            saved.insert(name.clone(), found);
        }
        let mut answer = json!({"code": response.code});
        if !response.warnings.is_empty() {
            answer["warnings"] = response.warnings.iter().map(|warning| names.text(warning)).collect();
        }
        answer["body"] = match step["pick"].as_array() {
            Some(pick) if response.code < 300 => {
                let picked = pick.iter().filter_map(Value::as_str).map(|place| {
                    let found = names.walk(&find(&value, place));
                    (place.to_owned(), found)
                });
                Value::Object(picked.collect())
            }
            _ => names.walk(&value),
        };
        Some(answer)
    }

    fn wait(&mut self, path: &str, headers: &Map<String, Value>, until: &str, wanted: &Value) {
        for _ in 0..LOOKS {
            let response = self.send("GET", path, None, headers);
            let found = match until {
                "code" => json!(response.code),
                place => find(&decoded(&response), place),
            };
            if found == *wanted {
                return;
            }
            self.now = self.now + PAUSE;
        }
    }

    /// Everything a watch delivers until its end.
    fn events(&mut self, response: &Response, bookmarks: bool, names: &mut Names) -> Value {
        let mut events = Vec::new();
        match &response.body {
            Answer::Watch(id) => loop {
                match self.world.watch_poll(self.now, *id) {
                    WatchPoll::Event(event) => events.push(event),
                    WatchPoll::Pending(until) => self.now = self.now.max(until),
                    WatchPoll::Closed => break,
                }
            },
            _ => events.push(decoded(response)),
        }
        events.retain(|event| bookmarks || event["type"] != "BOOKMARK");
        for event in &mut events {
            if event["type"] == "BOOKMARK" {
                event["object"]["metadata"]["resourceVersion"] = "<list version>".into();
            }
        }
        let events: Vec<Value> = events.iter().map(|event| names.walk(event)).collect();
        json!({"code": response.code, "events": events})
    }

    fn send(&mut self, method: &str, path: &str, body: Option<String>, headers: &Map<String, Value>) -> Response {
        self.now = self.now + PACE;
        self.world.step(self.now);
        let header = |wanted: &str| {
            let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: Some(Method::parse(method)),
            path: percent_decode(path, false),
            query: parse_query(query),
            accept: header("Accept").or_else(|| Some("application/json".into())),
            content_type: header("Content-Type"),
            user_agent: header("User-Agent").or_else(|| Some("replay".into())),
            authorization: header("Authorization"),
            impersonate_user: header("Impersonate-User"),
            impersonate_groups: header("Impersonate-Group").into_iter().collect(),
            body: body.map_or(Body::Empty, |text| Body::Bytes(text.into_bytes())),
            ..Request::default()
        };
        self.world.handle(self.now, request)
    }
}

fn decoded(response: &Response) -> Value {
    match &response.body {
        Answer::Json(value) => value.clone(),
        Answer::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        Answer::Watch(_) => Value::Null,
    }
}

/// Puts what was saved in the place of `{{name}}`.
fn substitute(value: &Value, saved: &Saved) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            for (name, value) in saved {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text = text.replace(&format!("{{{{{name}}}}}"), &value);
            }
            text.into()
        }
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), substitute(value, saved)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| substitute(item, saved)).collect(),
        other => other.clone(),
    }
}

/// `a.b[0].c`, `a[name=x].b`, with `~` for a dot in a key; null when absent.
fn find(value: &Value, place: &str) -> Value {
    let mut at = value;
    for part in PART.find_iter(place).map(|part| part.as_str()) {
        let index = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
        let next = match index {
            None => at.get(part.replace('~', ".")),
            Some(index) => at.as_array().and_then(|items| item(items, index)),
        };
        match next {
            Some(next) => at = next,
            None => return Value::Null,
        }
    }
    at.clone()
}

/// The item at a position, or the first whose field has a value.
fn item<'v>(items: &'v [Value], index: &str) -> Option<&'v Value> {
    match index.split_once('=') {
        Some((key, wanted)) => items
            .iter()
            .find(|item| item.get(key).is_some_and(|found| shown(found) == wanted)),
        None => items.get(index.parse::<usize>().ok()?),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
