//! The world on a TCP port: plain HTTP/1.1, meant for loopback.

use std::io;
use std::net::SocketAddr;

use capstan_model::Timestamp;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::Service as _;

use super::{Cluster, WorldService};
use crate::actors::{self, Profile};
use crate::world::{Options, World};

/// A world being served. Dropping it ends the server, its connections and its actors.
pub struct WorldServer {
    cluster: Cluster,
    address: SocketAddr,
    tasks: JoinSet<()>,
}

/// How a world is made and served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The time in the cluster at the start, usually the caller's clock.
    pub epoch: Timestamp,
    /// How the world is made.
    pub world: Options,
    /// How long the controllers, scheduler and kubelets take; `None` leaves them out.
    pub actors: Option<Profile>,
}

impl WorldServer {
    /// Makes a world and serves it on a listener, until dropped.
    ///
    /// # Errors
    /// When the listener's address cannot be read.
    pub fn start(listener: TcpListener, options: ServeOptions) -> io::Result<Self> {
        let mut world = World::new(options.epoch, options.world);
        for actor in options.actors.into_iter().flat_map(actors::all) {
            world.add_actor(actor);
        }
        Self::serve(listener, Cluster::new(world, options.epoch))
    }

    /// Serves a cluster on a listener and drives its actors, until dropped.
    ///
    /// # Errors
    /// When the listener's address cannot be read.
    pub fn serve(listener: TcpListener, cluster: Cluster) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        let driven = cluster.clone();
        tasks.spawn(async move { driven.drive().await });
        tasks.spawn(accept(listener, WorldService::new(cluster.clone())));
        Ok(Self {
            cluster,
            address,
            tasks,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The cluster served.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Runs until one of its tasks ends, which only a panic makes happen.
    pub async fn finished(&mut self) {
        self.tasks.join_next().await;
    }
}

async fn accept(listener: TcpListener, service: WorldService) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, service.clone()));
                }
                // Out of file descriptors, usually: let those that are open finish.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, service: WorldService) {
    // Small answers should not wait for more to come; a failure to say so costs only time.
    let _ = stream.set_nodelay(true);
    let serve = service_fn(move |request| {
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    // A connection that breaks is its client's affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), serve)
        .await;
}
