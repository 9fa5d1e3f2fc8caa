//! The whole program, from outside: its binary, real Git, real kubectl, and a real kube-apiserver where there is one.
//!
//! Each file is one situation. What needs a program that is not installed says so and passes; the project's own check requires all
//! of them.

#![allow(clippy::print_stdout, reason = "a test prints what it measured and what it skips")]

mod bad_input;
mod canary;
mod demo;
mod drift;
mod harness;
mod holders;
mod plan;
mod real_cluster;
mod render;
mod restart;
mod rollout;
mod sync;
mod terminate;
mod undelete;
