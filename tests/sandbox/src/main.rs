//! `k2hdkc-sandbox`: see `k2hdkc_sandbox::sandbox`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use k2hdkc_sandbox::{self as sandbox, End, Options};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(sandbox::run(&options, interrupted)));
    match ended {
        Ok(End::Good) => ExitCode::SUCCESS,
        Ok(End::Failed) => ExitCode::FAILURE,
        Ok(End::Interrupted) => ExitCode::from(130),
        Err(error) => {
            // Nothing can be told where even that fails.
            let _ = writeln!(std::io::stderr(), "k2hdkc-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends with the first signal that asks for it. Where signals cannot be had, the default action ends the process.
async fn interrupted() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
