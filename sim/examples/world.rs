//! Serves a simulated cluster on a loopback port until interrupted: `cargo run -p capstan-sim --features front-ends --example world -- 8001 [none|instant|realistic] [kubeconfig]`.

#![expect(clippy::disallowed_types, reason = "a program, not the world")]

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use capstan_model::Timestamp;
use capstan_sim::Options;
use capstan_sim::actors::Profile;
use capstan_sim::front_ends::{ServeOptions, WorldServer, write_kubeconfig};

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program, not the world"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().unwrap_or_else(|| "0".into()).parse()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let epoch = Timestamp::from_millis(i64::try_from(since.as_millis())?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let actors = match arguments.next().as_deref() {
            None | Some("none") => None,
            Some("instant") => Some(Profile::INSTANT),
            Some("realistic") => Some(Profile::REALISTIC),
            Some(other) => return Err(format!("unknown actors {other:?}: none, instant or realistic").into()),
        };
        let mut server = WorldServer::start(
            listener,
            ServeOptions {
                epoch,
                world: Options::default(),
                actors,
            },
        )?;
        if let Some(path) = arguments.next() {
            write_kubeconfig(Path::new(&path), &server.url())?;
        }
        println!("{}", server.url());
        server.finished().await;
        Ok(())
    })
}
