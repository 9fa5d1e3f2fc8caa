//! The world called directly: the verbs, watches and rules that everything else is built on.

use std::time::Duration;

use capstan_model::Timestamp;
use capstan_sim::{Answer, Change, Method, Options, Request, Response, User, WatchPoll, World};
use serde_json::{Value, json};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn now() -> Timestamp {
    Timestamp::from_seconds(1_773_478_800)
}

fn world() -> World {
    World::new(now(), Options::default())
}

fn send(world: &mut World, request: Request) -> Response {
    world.handle(now(), request)
}

fn get(world: &mut World, path: &str) -> Response {
    send(world, Request::new(Method::Get, path))
}

fn create(world: &mut World, path: &str, body: Value) -> Response {
    send(world, Request::json(Method::Post, path, body))
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"tier": "a"}}, "data": {"k": "v"}})
}

fn merge(world: &mut World, path: &str, patch: Value) -> Response {
    send(
        world,
        Request::typed(Method::Patch, path, "application/merge-patch+json", patch),
    )
}

fn watch(world: &mut World, path: &str) -> u64 {
    match get(world, path).body {
        Answer::Watch(id) => id,
        other => panic!("no watch: {other:?}"),
    }
}

fn events(world: &mut World, id: u64) -> Vec<(String, String)> {
    let mut out = Vec::new();
    while let WatchPoll::Event(event) = world.watch_poll(now(), id) {
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or("").to_owned();
        out.push((event["type"].as_str().unwrap_or("").to_owned(), name));
    }
    out
}

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

#[test]
fn a_world_starts_with_its_system_objects() {
    let mut world = world();
    for path in [
        "/api/v1/namespaces/kube-system",
        "/api/v1/namespaces/default/services/kubernetes",
    ] {
        assert_eq!(get(&mut world, path).code, 200, "{path}");
    }
    assert!(world.model_gaps().is_empty());
}

#[test]
fn an_object_is_created_read_changed_and_deleted() {
    let mut world = world();
    let created = create(&mut world, MAPS, map("a"));
    assert_eq!(created.code, 201);
    let path = format!("{MAPS}/a");
    assert_eq!(get(&mut world, &path).value(), created.value());
    assert_eq!(create(&mut world, MAPS, map("a")).code, 409);
    let changed = merge(&mut world, &path, json!({"data": {"k": "w"}}));
    assert_eq!(changed.value()["data"]["k"], "w");
    assert_ne!(
        changed.value()["metadata"]["resourceVersion"],
        created.value()["metadata"]["resourceVersion"]
    );
    assert_eq!(send(&mut world, Request::new(Method::Delete, &path)).code, 200);
    assert_eq!(get(&mut world, &path).code, 404);
    let changes: Vec<Change> = world.history().iter().rev().take(3).map(|w| w.change).collect();
    assert_eq!(changes, [Change::Deleted, Change::Modified, Change::Added]);
}

#[test]
fn a_write_that_changes_nothing_keeps_the_version_and_is_not_seen() {
    let mut world = world();
    create(&mut world, MAPS, map("a"));
    let (revision, written) = (world.revision(), world.history().len());
    let id = watch(&mut world, &format!("{MAPS}?watch=1&resourceVersion={revision}"));
    let answer = merge(&mut world, &format!("{MAPS}/a"), json!({"data": {"k": "v"}}));
    assert_eq!(answer.code, 200);
    assert_eq!((world.revision(), world.history().len()), (revision, written));
    assert!(events(&mut world, id).is_empty());
}

#[test]
fn an_older_version_conflicts() {
    let mut world = world();
    let mut old = create(&mut world, MAPS, map("a")).value().clone();
    merge(&mut world, &format!("{MAPS}/a"), json!({"data": {"k": "w"}}));
    old["data"]["k"] = json!("mine");
    let answer = send(&mut world, Request::json(Method::Put, &format!("{MAPS}/a"), old));
    assert_eq!(
        (answer.code, answer.value()["reason"].as_str()),
        (409, Some("Conflict"))
    );
}

#[test]
fn finalizers_hold_and_the_last_one_lets_go() {
    let mut world = world();
    let mut held = map("a");
    held["metadata"]["finalizers"] = json!(["example.org/hold"]);
    create(&mut world, MAPS, held);
    let path = format!("{MAPS}/a");
    let answer = send(&mut world, Request::new(Method::Delete, &path));
    assert!(answer.value()["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(get(&mut world, &path).code, 200);
    merge(&mut world, &path, json!({"metadata": {"finalizers": null}}));
    assert_eq!(get(&mut world, &path).code, 404);
}

#[test]
fn a_watch_sees_objects_come_and_go_through_its_selector() {
    let mut world = world();
    let start = world.revision();
    let id = watch(
        &mut world,
        &format!("{MAPS}?watch=1&resourceVersion={start}&labelSelector=tier%3Da"),
    );
    create(&mut world, MAPS, map("a"));
    merge(&mut world, &format!("{MAPS}/a"), json!({"data": {"k": "w"}}));
    merge(
        &mut world,
        &format!("{MAPS}/a"),
        json!({"metadata": {"labels": {"tier": "b"}}}),
    );
    assert_eq!(
        events(&mut world, id),
        [pair("ADDED", "a"), pair("MODIFIED", "a"), pair("DELETED", "a")]
    );
}

#[test]
fn a_watch_sends_its_initial_events_bookmarks_and_end() {
    let mut world = world();
    create(&mut world, MAPS, map("a"));
    let path = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=90"
    );
    let id = watch(&mut world, &path);
    assert_eq!(events(&mut world, id), [pair("ADDED", "a"), pair("BOOKMARK", "")]);
    let WatchPoll::Pending(at) = world.watch_poll(now(), id) else {
        panic!("not pending")
    };
    assert_eq!(at, now() + Duration::from_secs(60));
    assert!(matches!(world.watch_poll(at, id), WatchPoll::Event(e) if e["type"] == "BOOKMARK"));
    assert_eq!(world.watch_poll(now() + Duration::from_secs(91), id), WatchPoll::Closed);
    assert_eq!(world.open_watches(), 0);
}

#[test]
fn what_is_compacted_is_gone() {
    let mut world = world();
    let start = world.revision();
    create(&mut world, MAPS, map("a"));
    let id = watch(&mut world, &format!("{MAPS}?watch=1&resourceVersion={start}"));
    world.compact(world.revision());
    let WatchPoll::Event(event) = world.watch_poll(now(), id) else {
        panic!("no event")
    };
    assert_eq!(
        (&event["type"], &event["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    let list = get(
        &mut world,
        &format!("{MAPS}?resourceVersion={start}&resourceVersionMatch=Exact"),
    );
    assert_eq!(list.code, 410);
}

#[test]
fn pages_are_of_one_snapshot() {
    let mut world = world();
    for name in ["a", "b", "c"] {
        create(&mut world, MAPS, map(name));
    }
    let first = get(&mut world, &format!("{MAPS}?limit=2")).value().clone();
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    create(&mut world, MAPS, map("d"));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let second = get(&mut world, &format!("{MAPS}?limit=2&continue={token}"))
        .value()
        .clone();
    let names: Vec<&Value> = second["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["metadata"]["name"])
        .collect();
    assert_eq!(names, [&json!("c")]);
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
}

#[test]
fn nothing_is_created_where_the_namespace_is_going() {
    let mut world = world();
    create(&mut world, "/api/v1/namespaces", json!({"metadata": {"name": "x"}}));
    send(&mut world, Request::new(Method::Delete, "/api/v1/namespaces/x"));
    let answer = create(&mut world, "/api/v1/namespaces/x/configmaps", map("late"));
    assert_eq!(answer.code, 403);
    assert_eq!(answer.value()["details"]["causes"][0]["reason"], "NamespaceTerminating");
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let run = || {
        let mut world = world();
        let body = json!({"metadata": {"generateName": "m-"}});
        (0..5)
            .map(|_| create(&mut world, MAPS, body.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn what_is_not_modelled_is_counted() {
    let mut world = world();
    assert_eq!(get(&mut world, "/metrics").code, 501);
    assert_eq!(world.model_gaps().values().sum::<u64>(), 1);
}

#[test]
fn a_definition_serves_its_kind_until_it_goes() {
    let mut world = world();
    let definition = json!({"metadata": {"name": "gears.example.org"}, "spec": {
        "group": "example.org", "scope": "Namespaced",
        "names": {"kind": "Gear", "plural": "gears", "singular": "gear", "listKind": "GearList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
            "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}}}}}],
    }});
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(create(&mut world, definitions, definition).code, 201);
    let gears = "/apis/example.org/v1/namespaces/default/gears";
    let gear = json!({"apiVersion": "example.org/v1", "kind": "Gear", "metadata": {"name": "a"}, "spec": {"odd": 1}});
    let created = create(&mut world, gears, gear);
    assert_eq!(created.code, 201);
    assert_eq!(created.value()["spec"], json!({"size": 3}));
    assert_eq!(created.warnings, ["299 - \"unknown field \\\"spec.odd\\\"\""]);
    send(
        &mut world,
        Request::new(Method::Delete, &format!("{definitions}/gears.example.org")),
    );
    assert_eq!(get(&mut world, gears).code, 404);
    assert_eq!(world.history().last().unwrap().change, Change::Deleted);
}

#[test]
fn a_service_account_that_is_impersonated_has_its_own_groups_and_no_others() {
    let mut world = world();
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let mut bind = |name: &str, subject: Value, rules: Value| {
        let role = json!({"metadata": {"name": name}, "rules": rules});
        assert!(create(&mut world, &format!("{rbac}/clusterroles"), role).is_success());
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
        let binding = json!({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]});
        assert!(create(&mut world, &format!("{rbac}/clusterrolebindings"), binding).is_success());
    };
    let impersonate = json!([{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]);
    bind(
        "impersonator",
        json!({"kind": "ServiceAccount", "namespace": "argocd", "name": "capstan"}),
        impersonate,
    );
    let group =
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts:shop"});
    bind(
        "of-shop",
        group,
        json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}]),
    );
    let mut code = |user: &str, groups: &[&str]| {
        let request = Request {
            impersonate_user: Some(user.to_owned()),
            impersonate_groups: groups.iter().map(ToString::to_string).collect(),
            ..Request::json(Method::Post, MAPS, map("a"))
        };
        let request = request.by(User::service_account("argocd", "capstan"));
        send(&mut world, request).code
    };
    assert_eq!(
        code("system:serviceaccount:bank:deployer", &[]),
        403,
        "not of the namespace's group"
    );
    assert_eq!(
        code("system:serviceaccount:bank:deployer", &["system:masters"]),
        403,
        "no right to impersonate groups"
    );
    assert_eq!(code("ada", &[]), 403, "no right to impersonate users");
    assert_eq!(code("system:serviceaccount:shop:deployer", &[]), 201);
}
