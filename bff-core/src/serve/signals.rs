//! What the system tells the process.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends when the process is told to stop: SIGTERM (orchestrators), SIGINT (Ctrl-C) or SIGQUIT.
///
/// From the call on, not only from when it is awaited, no signal ends the process by itself; so it is called before a port is
/// bound, or a process that is stopped right after its start would lose the requests that it has already let in. SIGHUP,
/// SIGUSR1 and SIGUSR2 are logged and change nothing. To be called inside a runtime.
pub fn shutdown_signal() -> impl Future<Output = ()> {
    let stop = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()].map(listen);
    let others = [SignalKind::hangup(), SignalKind::user_defined1(), SignalKind::user_defined2()].map(listen);
    async move {
        let [mut terminate, mut interrupt, mut quit] = stop;
        let [mut hangup, mut first, mut second] = others;
        loop {
            let ignored = tokio::select! {
                () = next(&mut terminate) => return,
                () = next(&mut interrupt) => return,
                () = next(&mut quit) => return,
                () = next(&mut hangup) => "SIGHUP",
                () = next(&mut first) => "SIGUSR1",
                () = next(&mut second) => "SIGUSR2",
            };
            tracing::info!(signal = ignored, "a signal that changes nothing; SIGTERM stops this process");
        }
    }
}

/// A signal that cannot be had is no reason to stop.
fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| tracing::warn!(%error, ?kind, "a signal cannot be listened to")).ok()
}

async fn next(signal: &mut Option<Signal>) {
    let told = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if told.is_none() {
        pending::<()>().await;
    }
}
