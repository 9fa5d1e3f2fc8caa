//! The world over TCP: plain requests, a watch that streams, and a client that goes away.
#![cfg(feature = "front-ends")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use capstan_model::Timestamp;
use capstan_sim::actors::Profile;
use capstan_sim::front_ends::{ServeOptions, WorldServer, WorldService};
use capstan_sim::{Method, Options, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tower::Service as _;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn server(actors: Option<Profile>) -> WorldServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = ServeOptions {
        epoch: Timestamp::from_seconds(1_773_478_800),
        world: Options::default(),
        actors,
    };
    WorldServer::start(listener, options).unwrap()
}

async fn send(stream: &mut TcpStream, method: &str, path: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: world\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn exchange(server: &WorldServer, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    send(&mut stream, method, path, body).await;
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "current_thread")]
async fn requests_are_answered_over_tcp() {
    let server = server(None).await;
    let created = exchange(&server, "POST", MAPS, r#"{"metadata":{"name":"a"}}"#).await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let got = exchange(&server, "GET", &format!("{MAPS}/a"), "").await;
    assert!(
        got.starts_with("HTTP/1.1 200") && got.contains("content-type: application/json"),
        "{got}"
    );
    let broken = exchange(&server, "POST", MAPS, "{").await;
    assert!(broken.starts_with("HTTP/1.1 400"), "{broken}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_watch_streams_and_ends_with_its_client() {
    let server = server(None).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    send(
        &mut stream,
        "GET",
        &format!("{MAPS}?watch=1&fieldSelector=metadata.name%3Da"),
        "",
    )
    .await;
    let mut lines = BufReader::new(stream).lines();
    while server.cluster().with(|world| world.open_watches()) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let body = json!({"metadata": {"name": "a"}});
    server.cluster().handle(Request::json(Method::Post, MAPS, body));
    let event = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.starts_with('{') {
            break serde_json::from_str::<Value>(&line).unwrap();
        }
    };
    assert_eq!(
        (&event["type"], &event["object"]["metadata"]["name"]),
        (&json!("ADDED"), &json!("a"))
    );
    drop(lines);
    let closed = async {
        while server.cluster().with(|world| world.open_watches()) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_paused_clock_drives_actors_and_ends_watches() {
    let server = server(Some(Profile::REALISTIC)).await;
    let deployment = json!({"metadata": {"name": "web"}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}},
    }});
    let path = "/apis/apps/v1/namespaces/default/deployments";
    tokio::time::sleep(Duration::from_secs(1)).await;
    let created = server.cluster().handle(Request::json(Method::Post, path, deployment));
    assert!(created.is_success(), "{created:?}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let now = server
        .cluster()
        .handle(Request::new(Method::Get, &format!("{path}/web")));
    assert_eq!(now.value()["status"]["readyReplicas"], 2, "{:?}", now.value()["status"]);

    let mut service = WorldService::new(server.cluster().clone());
    let uri = format!("{MAPS}?watch=1&timeoutSeconds=3600");
    let request = http::Request::builder()
        .uri(uri)
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let answer = service.call(request).await.unwrap();
    let begun = server.cluster().now();
    answer.into_body().collect().await.unwrap();
    assert_eq!(server.cluster().now().since(begun), Duration::from_secs(3600));
}
