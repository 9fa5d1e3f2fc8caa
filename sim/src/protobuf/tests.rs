//! Bodies built by hand, and bytes that are none.

use capstan_model::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Body, Method, Options, Request, Response, World};

/// A length-delimited field.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(u64::from(number) << 3 | 2);
    out.extend(varint(bytes.len() as u64));
    out.extend(bytes);
    out
}

/// A varint field.
fn number(number: u8, value: i64) -> Vec<u8> {
    let mut out = varint(u64::from(number) << 3);
    out.extend(varint(value.cast_unsigned()));
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn body(api_version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
    let heading = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [
        b"k8s\0".to_vec(),
        field(1, &heading),
        field(2, object),
        field(3, b""),
        field(4, b""),
    ]
    .concat()
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value)].concat()
}

#[test]
fn a_namespace_as_the_typed_client_writes_it() {
    // Go writes what is not set as well: empty strings, a time without content, empty messages.
    let metadata = [
        field(1, b"team-a"),
        field(2, b""),
        field(3, b""),
        number(7, 0),
        field(8, b""),
        field(11, &entry("a", b"b")),
        field(11, &entry("c", b"")),
    ]
    .concat();
    let object = [field(1, &metadata), field(2, b""), field(3, &field(1, b""))].concat();
    assert_eq!(
        decode(&body("v1", "Namespace", &object), "v1", "Namespace").unwrap(),
        json!({
            "apiVersion": "v1", "kind": "Namespace", "spec": {}, "status": {},
            "metadata": {"name": "team-a", "creationTimestamp": null, "labels": {"a": "b", "c": ""}},
        })
    );
}

#[test]
fn pointers_keep_their_zero_and_numbers_their_sign() {
    let spec = [number(1, 0), number(5, 0), number(7, 0)].concat();
    let value = decode(
        &body("apps/v1", "Deployment", &field(2, &spec)),
        "apps/v1",
        "Deployment",
    )
    .unwrap();
    assert_eq!(value["spec"], json!({"replicas": 0}));
    let value = decode(
        &body("scheduling.k8s.io/v1", "PriorityClass", &number(2, -5)),
        "scheduling.k8s.io/v1",
        "PriorityClass",
    );
    assert_eq!(value.unwrap()["value"], -5);
}

#[test]
fn messages_with_a_json_form_of_their_own() {
    let port = |target: Vec<u8>| [number(3, 80), field(4, &target)].concat();
    let named = [number(1, 1), number(2, 0), field(3, b"http")].concat();
    let plain = [number(1, 0), number(2, 8080), field(3, b"")].concat();
    let spec = [field(1, &port(named)), field(1, &port(plain)), field(3, b"10.0.0.1")].concat();
    let service = decode(&body("v1", "Service", &field(2, &spec)), "v1", "Service").unwrap();
    assert_eq!(
        service["spec"],
        json!({"clusterIP": "10.0.0.1", "ports": [{"port": 80, "targetPort": "http"}, {"port": 80, "targetPort": 8080}]})
    );
    let secret = decode(&body("v1", "Secret", &field(2, &entry("k", b"\0hi"))), "v1", "Secret").unwrap();
    assert_eq!(secret["data"], json!({"k": "AGhp"}));
    let hard = field(1, &entry("pods", &field(1, b"3")));
    let quota = decode(&body("v1", "ResourceQuota", &field(2, &hard)), "v1", "ResourceQuota").unwrap();
    assert_eq!(quota["spec"], json!({"hard": {"pods": "3"}}));
    let at = [number(1, 1_700_000_000), number(2, 1_500_000)].concat();
    let spec = [field(3, &at), field(1, b"me")].concat();
    let version = "coordination.k8s.io/v1";
    let lease = decode(&body(version, "Lease", &field(2, &spec)), version, "Lease").unwrap();
    assert_eq!(
        lease["spec"],
        json!({"holderIdentity": "me", "acquireTime": "2023-11-14T22:13:20.001500Z"})
    );
    let raw = field(2, &field(1, br#"{"spec":{"a":[1]}}"#));
    let revision = decode(
        &body("apps/v1", "ControllerRevision", &raw),
        "apps/v1",
        "ControllerRevision",
    )
    .unwrap();
    assert_eq!(revision["data"], json!({"spec": {"a": [1]}}));
}

#[test]
fn fields_of_embedded_messages_are_the_outer_objects() {
    let map = [field(1, &field(1, b"settings")), number(4, 0)].concat();
    let volume = [field(1, b"v"), field(2, &field(19, &map))].concat();
    let pod = decode(&body("v1", "Pod", &field(2, &field(1, &volume))), "v1", "Pod").unwrap();
    assert_eq!(
        pod["spec"]["volumes"],
        json!([{"name": "v", "configMap": {"name": "settings", "optional": false}}])
    );
}

#[test]
fn a_kind_left_out_is_the_expected_one_and_options_have_every_version() {
    let bytes = body("", "", &field(1, &field(1, b"x")));
    let value = decode(&bytes, "v1", "ConfigMap").unwrap();
    assert_eq!(
        (&value["kind"], &value["metadata"]["name"]),
        (&json!("ConfigMap"), &json!("x"))
    );
    let options = body(
        "apps/v1",
        "DeleteOptions",
        &[number(1, 0), field(4, b"Orphan")].concat(),
    );
    let value = decode(&options, "v1", "DeleteOptions").unwrap();
    assert_eq!(
        (&value["gracePeriodSeconds"], &value["propagationPolicy"]),
        (&json!(0), &json!("Orphan"))
    );
}

#[test]
fn what_is_no_object_is_refused_with_the_servers_words() {
    let message = |bytes: &[u8]| decode(bytes, "v1", "Pod").unwrap_err().message;
    assert_eq!(message(b""), "empty data");
    assert_eq!(message(b"k8s\0"), "empty body");
    assert_eq!(
        message(b"{}"),
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    );
    let whole = body("v1", "Pod", &field(1, &field(1, b"x")));
    assert_eq!(message(&whole[..whole.len() - 5]), "unexpected EOF");
    let error = decode(&body("v1", "Pod", &number(1, 1)), "v1", "Pod").unwrap_err();
    assert_eq!(error.message, "proto: wrong wireType = 0 for field ObjectMeta");
    assert_eq!(error.claimed, Some(("v1".into(), "Pod".into())));
    assert_eq!(
        message(&body("apps/v1", "Deployment", b"")),
        "converting (v1.Deployment) to (core.Pod): unknown conversion"
    );
    assert_eq!(
        message(&body("v1", "Widget", b"")),
        "no kind \"Widget\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\""
    );
}

#[test]
fn schemas_print_as_they_do_in_json() {
    let fixed = |number: u8, value: f64| [varint(u64::from(number) << 3 | 1), value.to_le_bytes().to_vec()].concat();
    let allows = field(30, &number(1, 1));
    let items = field(24, &field(1, &field(5, b"string")));
    let example = field(36, &field(1, b"{\"a\":1}"));
    let closed = field(33, &[number(1, 0), field(2, b"")].concat());
    let schema = [fixed(9, 3.0), fixed(11, 0.5), allows, items, example, closed].concat();
    let of = table::named("apiextensions.v1.JSONSchemaProps").unwrap();
    let value = message::object(of, &schema, 0).map(Value::Object).unwrap();
    let expected = json!({
        "maximum": 3, "minimum": 0.5, "additionalProperties": true, "items": {"type": "string"}, "example": {"a": 1},
        "additionalItems": {},
    });
    assert_eq!(value, expected);
}

#[test]
fn schemas_nest_and_do_not_exhaust_the_stack() {
    let nested = |depth: usize| {
        // not (field 28) of not of … a description
        let schema = (0..depth).fold(field(4, b"d"), |inner, _| field(28, &inner));
        let version = field(7, &[field(1, b"v1"), field(4, &field(1, &schema))].concat());
        let version_string = "apiextensions.k8s.io/v1";
        let bytes = body(version_string, "CustomResourceDefinition", &field(2, &version));
        decode(&bytes, version_string, "CustomResourceDefinition")
    };
    let value = nested(2).unwrap();
    assert_eq!(
        value["spec"]["versions"][0]["schema"]["openAPIV3Schema"],
        json!({"not": {"not": {"description": "d"}}})
    );
    assert_eq!(nested(2_000).unwrap_err().message, "exceeded max depth");
}

fn send(world: &mut World, method: Method, path: &str, bytes: Vec<u8>) -> Response {
    let mut request = Request::new(method, path);
    request.content_type = Some(MEDIA_TYPE.into());
    request.body = Body::Bytes(bytes);
    world.handle(now(), request)
}

fn now() -> Timestamp {
    Timestamp::from_seconds(1_773_478_800)
}

#[test]
fn the_world_takes_and_deletes_what_comes_as_protobuf() {
    let mut world = World::new(now(), Options::default());
    let maps = "/api/v1/namespaces/default/configmaps";
    let map = [field(1, &field(1, b"m")), field(2, &entry("k", b""))].concat();
    let created = send(&mut world, Method::Post, maps, body("v1", "ConfigMap", &map));
    assert_eq!((created.code, &created.value()["data"]), (201, &json!({"k": ""})));

    let broken = send(&mut world, Method::Post, maps, body("v1", "ConfigMap", b"\x0a\x05"));
    assert_eq!(
        broken.value()["message"],
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: unexpected EOF"
    );
    let none = send(&mut world, Method::Post, maps, b"{}".to_vec());
    assert_eq!(
        none.value()["message"],
        "the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf message, \
         expected prefix [107 56 115 0] ({})"
    );

    let path = format!("{maps}/m");
    let of_another = field(2, &field(1, b"another"));
    let refused = send(
        &mut world,
        Method::Delete,
        &path,
        body("v1", "DeleteOptions", &of_another),
    );
    assert_eq!(refused.code, 409);
    let no_options = send(&mut world, Method::Delete, &path, body("v1", "ConfigMap", b""));
    assert_eq!(
        no_options.value()["message"],
        "no kind \"ConfigMap\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\""
    );
    let deleted = send(
        &mut world,
        Method::Delete,
        &path,
        body("v1", "DeleteOptions", &number(1, 0)),
    );
    assert_eq!(deleted.code, 200);
    assert!(world.model_gaps().is_empty());
}

proptest! {
    #[test]
    fn no_bytes_panic(object in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..100) {
        let kinds: Vec<_> = capstan_model::schema::kinds().collect();
        let (version, kind) = kinds[at % kinds.len()];
        let _ = decode(&object, version, kind);
        let _ = decode(&[b"k8s\0", object.as_slice()].concat(), version, kind);
        if let Ok(value) = decode(&body(version, kind, &object), version, kind) {
            prop_assert_eq!(&value["kind"], kind);
        }
    }
}
