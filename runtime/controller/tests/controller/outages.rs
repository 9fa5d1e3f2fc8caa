//! The API server cannot be reached for a while: of every length, and with every mixture of watches that break and watches that live on.
//! Afterwards everything goes on by itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use capstan_controller::Clock;
use capstan_kubernetes::{Cluster, ClusterSettings};
use capstan_model::ClusterId;
use capstan_sim::front_ends::WorldService;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, BodyStream, Full, StreamBody};
use serde_json::json;
use tokio::sync::watch;
use tower::{BoxError, Service};

use crate::support::{EPOCH, application, apply, install, map, world};
use crate::{Bench, Running};

/// Which open watches end when the line is cut.
#[derive(Clone, Copy, Debug)]
enum Breaks {
    None,
    /// By which the controller notices that a cluster is gone.
    OfDefinitions,
    Others,
    All,
}

impl Breaks {
    fn includes(self, path: &str) -> bool {
        let is_of_definitions = path.ends_with("/customresourcedefinitions") || path.ends_with("/apiservices");
        match self {
            Self::None => false,
            Self::OfDefinitions => is_of_definitions,
            Self::Others => !is_of_definitions,
            Self::All => true,
        }
    }
}

/// What becomes of a new request while the line is cut. Nothing of it gets through.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Refused,
    /// None at all, as where packets are lost.
    Silence,
    /// A gateway's.
    Unavailable,
}

/// A line to the simulated server that can be cut.
#[derive(Clone)]
struct Line {
    service: WorldService,
    is_cut: watch::Receiver<bool>,
    breaks: Breaks,
    answer: Answer,
}

type AnyBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

impl Line {
    async fn without_the_server(mut self) -> Result<http::Response<AnyBody>, BoxError> {
        match self.answer {
            Answer::Refused => Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            Answer::Silence => {
                let is_back = self.is_cut.wait_for(|is_cut| !is_cut).await.is_ok();
                assert!(is_back, "the line outlives its requests");
                Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
            }
            Answer::Unavailable => {
                let body = Full::new(Bytes::from("no healthy upstream")).map_err(BoxError::from);
                let mut response = http::Response::new(Box::pin(body) as AnyBody);
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                Ok(response)
            }
        }
    }
}

impl<B> Service<http::Request<B>> for Line
where
    B: http_body::Body<Data: Send> + Send + 'static,
{
    type Response = http::Response<AnyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut line = self.clone();
        let breaks = line.breaks.includes(request.uri().path());
        Box::pin(async move {
            if *line.is_cut.borrow() {
                return line.without_the_server().await;
            }
            let response = line.service.call(request).await?;
            let mut is_cut = line.is_cut;
            let cut = async move {
                let is_open = is_cut.wait_for(|is_cut| *is_cut && breaks).await.is_err();
                if is_open {
                    std::future::pending::<()>().await;
                }
            };
            Ok(response.map(|body| {
                let frames = BodyStream::new(body).map(|frame| frame.map_err(BoxError::from));
                Box::pin(StreamBody::new(frames.take_until(Box::pin(cut)))) as AnyBody
            }))
        })
    }
}

/// `after` the controller started; once the first sync is done when that is `None`.
async fn an_outage(breaks: Breaks, answer: Answer, after: Option<Duration>, length: Duration) {
    let (world, others) = world();
    let (cut, is_cut) = watch::channel(false);
    let service = WorldService::new(world.clone());
    let line = Line {
        service,
        is_cut,
        breaks,
        answer,
    };
    let ours = Cluster::from_service(ClusterId::in_cluster(), line, ClusterSettings::default());
    let bench = Bench::new(ours, || Clock::starting_at(EPOCH));
    let body = async {
        install(&others).await;
        bench.repository.commit(|files| {
            for number in 0..3 {
                let object = map(&format!("map-{number}"), "1");
                files.insert(format!("shop/{number}.json"), object.to_string().into_bytes());
            }
        });
        apply(&others, &application("shop", "shop")).await;
        let running = bench.start();
        match after {
            Some(after) => tokio::time::sleep(after).await,
            None => running.synced(1).await,
        }
        cut.send_replace(true);
        tokio::time::sleep(length).await;
        cut.send_replace(false);
        running.synced(1).await;
        goes_on(&bench, &others, &running).await;
    };
    tokio::select! {
        biased;
        () = body => {}
        () = world.drive() => panic!("the world stopped"),
    }
}

/// What is pushed is synced, with what is new, changed and gone; what somebody else changes is put right.
async fn goes_on(bench: &Bench, others: &Cluster, running: &Running) {
    bench.repository.commit(|files| {
        files.insert("shop/0.json".into(), map("map-0", "2").to_string().into_bytes());
        files.insert("shop/3.json".into(), map("map-3", "1").to_string().into_bytes());
        files.remove("shop/1.json");
    });
    running.synced(2).await;
    assert_eq!(bench.live("shop", "map-0").await.unwrap()["data"]["k"], "2");
    assert!(bench.live("shop", "map-3").await.is_some() && bench.live("shop", "map-1").await.is_none());
    let mut edited = map("map-2", "edited");
    edited["metadata"]["namespace"] = json!("shop");
    apply(others, &edited).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        bench.live("shop", "map-2").await.unwrap()["data"]["k"],
        "1",
        "drift is put right"
    );
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_of_any_length_everything_goes_on() {
    for breaks in [Breaks::None, Breaks::OfDefinitions, Breaks::Others, Breaks::All] {
        for (answer, every) in [(Answer::Refused, 12), (Answer::Silence, 43), (Answer::Unavailable, 43)] {
            for tenths in (2..130).step_by(every).chain([400]) {
                println!("{breaks:?}, {answer:?}, {tenths}/10 s");
                an_outage(breaks, answer, None, Duration::from_millis(tenths * 100)).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_at_any_moment_of_the_start_and_of_the_first_sync_is_survived() {
    for breaks in [Breaks::OfDefinitions, Breaks::All] {
        for answer in [Answer::Refused, Answer::Silence] {
            for millis in (0..16).step_by(3).chain([50, 400]) {
                println!("{breaks:?}, {answer:?}, after {millis} ms");
                let (after, length) = (Duration::from_millis(millis), Duration::from_secs(3));
                an_outage(breaks, answer, Some(after), length).await;
            }
        }
    }
}
