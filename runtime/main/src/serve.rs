//! The HTTP server beside a controller.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use capstan_controller::ControllerHandle;
use capstan_server::{Options, router};
use miette::{Context, IntoDiagnostic};
use tokio::net::TcpListener;

use crate::backend::ControllerBackend;

/// Binds `port` of `address`; 0 takes a free one.
pub(crate) async fn listen(address: IpAddr, port: u16) -> miette::Result<TcpListener> {
    TcpListener::bind((address, port))
        .await
        .into_diagnostic()
        .wrap_err_with(|| format!("port {port} of {address} cannot be listened on: choose another with --port"))
}

/// Serves dashboard, API, probes and metrics until the process ends. Actions are served on loopback addresses only: there is no
/// authentication yet.
pub(crate) fn spawn(
    listener: TcpListener,
    controller: ControllerHandle,
    mut options: Options,
) -> miette::Result<SocketAddr> {
    let address = listener.local_addr().into_diagnostic()?;
    options.allow_actions &= address.ip().is_loopback();
    let router = router(Arc::new(ControllerBackend::new(controller)), options);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(address)
}
