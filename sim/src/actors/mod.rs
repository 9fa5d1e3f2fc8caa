//! The controllers, the scheduler and the kubelets of the simulated cluster.
//!
//! Each is an [`Actor`](crate::Actor): a pure function of what it sees, whose requests go through the same API as everybody's. They
//! follow the real components as far as a client can tell: names, owner references, labels, conditions, the order of a rollout. How
//! long things take is the [`Profile`]'s. What a Pod does is told by its own manifest, see [`pod`].
//!
//! Deliberately absent: scheduling by resources, networking, containers. Where a status differs from the real component's,
//! `FIDELITY.md` says so.

mod build;
mod controller;
mod cronjob;
mod daemonset;
mod deployment;
mod gc;
mod hpa;
mod ingress;
mod job;
mod namespace;
mod node;
mod pdb;
pub mod pod;
mod pvc;
mod replicaset;
mod service;
mod statefulset;

use std::time::Duration;

use crate::Actor;
use controller::ControllerActor;

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// From a Pod's creation to its binding.
    pub schedule: Duration,
    /// From there to the containers running.
    pub start: Duration,
    /// From there to readiness.
    pub ready: Duration,
    /// How long a container of a Job runs, unless its command says otherwise.
    pub run: Duration,
    /// From a Pod's deletion to its end.
    pub terminate: Duration,
    /// From an ingress or load balancer to its address.
    pub address: Duration,
}

impl Profile {
    /// Everything at once.
    pub const INSTANT: Self = Self {
        schedule: Duration::ZERO,
        start: Duration::ZERO,
        ready: Duration::ZERO,
        run: Duration::ZERO,
        terminate: Duration::ZERO,
        address: Duration::ZERO,
    };
    /// A brisk cluster with warm images.
    pub const REALISTIC: Self = Self {
        schedule: Duration::from_millis(30),
        start: Duration::from_millis(250),
        ready: Duration::from_millis(350),
        run: Duration::from_millis(600),
        terminate: Duration::from_millis(200),
        address: Duration::from_millis(150),
    };
}

/// All actors of a cluster, in the order in which they are stepped.
pub fn all(profile: Profile) -> Vec<Box<dyn Actor>> {
    vec![
        Box::new(node::Nodes::new()),
        Box::new(ControllerActor::new(namespace::Namespaces)),
        Box::new(ControllerActor::new(deployment::Deployments)),
        Box::new(ControllerActor::new(replicaset::ReplicaSets)),
        Box::new(ControllerActor::new(statefulset::StatefulSets)),
        Box::new(ControllerActor::new(daemonset::DaemonSets)),
        Box::new(ControllerActor::new(cronjob::CronJobs)),
        Box::new(ControllerActor::new(job::Jobs)),
        Box::new(ControllerActor::new(pvc::Claims)),
        Box::new(ControllerActor::new(pod::Pods::new(profile))),
        Box::new(ControllerActor::new(service::Services::new(profile))),
        Box::new(ControllerActor::new(ingress::Ingresses::new(profile))),
        Box::new(ControllerActor::new(hpa::Autoscalers)),
        Box::new(ControllerActor::new(pdb::DisruptionBudgets)),
        Box::new(gc::GarbageCollector::new()),
    ]
}
