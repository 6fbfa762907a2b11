//! `boathook embedded`: the embedded cluster on a loopback port, for kubectl and others.

use std::net::SocketAddr;
use std::path::PathBuf;

use boathook_embedded::{Embedded, kubeconfig, serve};
use clap::{Args, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{CliError, FAILED, USAGE};
use crate::global::GlobalArgs;
use crate::output::Printer;
use crate::wiring;

/// The embedded cluster
#[derive(Args)]
pub(crate) struct EmbeddedArgs {
    #[command(subcommand)]
    command: EmbeddedCommand,
}

#[derive(Subcommand)]
enum EmbeddedCommand {
    Serve(ServeArgs),
}

/// Serve the embedded Kubernetes API on a loopback address, for kubectl and other clients
///
/// It keeps objects and answers requests as an API server does; no container ever runs. Jobs and Pods are completed by a
/// simulated controller. There is no authentication: whoever can reach the address may do everything, and with --authorization
/// rbac act as anybody else who may do what Roles and bindings allow.
#[derive(Args)]
#[command(after_help = "Example:
  boathook embedded serve --state state.json --kubeconfig-out kubeconfig &
  kubectl --kubeconfig kubeconfig get configmaps
  boathook embedded serve --authorization rbac --kubeconfig-out kubeconfig &
  kubectl --kubeconfig kubeconfig auth can-i create deployments --as jane")]
struct ServeArgs {
    /// Keep the state in this file, as --cluster embedded:FILE does
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where to listen: a loopback address, port 0 for a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// Write a kubeconfig to this file
    #[arg(long, value_name = "FILE")]
    kubeconfig_out: Option<PathBuf>,
}

pub(crate) async fn run(args: EmbeddedArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let EmbeddedCommand::Serve(ServeArgs { state, address, kubeconfig_out }) = args.command;
    if !address.ip().is_loopback() {
        return Err(CliError::new(USAGE, format!("{address} is no loopback address"))
            .hint("the embedded API lets everybody in, so it listens on 127.0.0.1 or [::1] only"));
    }
    let embedded = match &state {
        Some(file) => wiring::open(file).await?,
        None => Embedded::new(),
    };
    let embedded = wiring::authorized(global, embedded);
    let cannot =
        |what: String| move |error: std::io::Error| CliError::new(FAILED, format!("cannot {what}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(cannot(format!("listen on {address}")))?;
    let address = listener.local_addr().map_err(cannot("listen".to_owned()))?;
    if let Some(file) = &kubeconfig_out {
        std::fs::write(file, kubeconfig(address)).map_err(cannot(format!("write {}", file.display())))?;
    }
    printer.result(&format!("Serving the embedded Kubernetes API on http://{address}; Ctrl-C ends it\n"));
    match &kubeconfig_out {
        Some(file) => printer.note(&format!("try: kubectl --kubeconfig {} get all\n", file.display())),
        None => printer.note(&format!("try: kubectl --server http://{address} get all\n")),
    }
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot("watch for signals".to_owned()))?;
    let ended = async move {
        tokio::select! {
            result = tokio::signal::ctrl_c() => drop(result),
            _ = terminate.recv() => {}
        }
    };
    serve(embedded.clone(), listener, ended).await.map_err(cannot("serve".to_owned()))?;
    embedded.close().await.map_err(|error| CliError::new(FAILED, error.to_string()))?;
    Ok(0)
}
