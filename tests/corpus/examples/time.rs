//! Renders one chart again and again, and says how long a render takes: for profilers.

#![allow(clippy::print_stdout, reason = "it says what it measured")]

use std::path::Path;
use std::time::{Duration, Instant};

use capstan_corpus::Case;

fn main() {
    let Some(chart) = std::env::args().nth(1) else {
        println!("usage: time CHART");
        return;
    };
    let case = Case::new(Path::new(&chart));
    let (start, mut rounds) = (Instant::now(), 0u32);
    while start.elapsed() < Duration::from_secs(3) {
        if let Err(error) = case.render() {
            println!("{error}");
            return;
        }
        rounds += 1;
    }
    println!("{:?} a render", start.elapsed() / rounds);
}
