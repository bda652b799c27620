//! `chmpx`: from the command line to its end.

use std::path::Path;
use std::process::ExitCode;

use nix::sys::signal::{SigSet, Signal, raise};
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::config::{Config, Refused};
use super::dial;
use super::event::{End, Event};
use super::node::{Chmpx, Start, now};
use super::own::Identity;
use super::shm::Shm;
use super::watch::Watch;
use crate::simulators::arguments::Arguments;
use crate::simulators::faults::{Faults, is_in};
use crate::simulators::log::{Log, say};
use crate::simulators::place::Place;

/// The reason why chmpx does not start.
#[derive(Debug, Error)]
enum Failure {
    #[error("{0}")]
    Refused(#[from] Refused),
    #[error("Failed to initialize SHM.")]
    Memory,
    #[error("Failed to set/initialize mq event obj.")]
    Queues,
    #[error("Could not listen {what}({port}): {source}")]
    Port { what: &'static str, port: i32, source: std::io::Error },
    #[error("{0}")]
    Os(#[from] std::io::Error),
    #[error("the file of faults wants this start to fail")]
    Faults,
    #[error("a number of [GLOBAL] that chmpx divides by or indexes with")]
    Crash(Signal),
}

/// Runs it to its end: exit code 1 where it does not start, else 0, unless a signal ends it.
pub fn run(arguments: &Arguments, place: &Place) -> ExitCode {
    let log = Log::new("CHMPX", arguments.level);
    block_signals();
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log.err(error);
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(arguments, place, &log)) {
        Ok(End::Graceful) => ExitCode::SUCCESS,
        Ok(End::Crash) => die(Signal::SIGSEGV),
        Err(Failure::Crash(signal)) => die(signal),
        Err(failure) => {
            log.err(format_args!("Initialize : {failure}"));
            say(
                "ERROR: Could not initialize process.\nYou can see detail about error, execute with \"-d\" option.",
            );
            ExitCode::FAILURE
        }
    }
}

/// TERM, QUIT, USR2, ALRM, PIPE and more have no effect, ever (docs/facts.md C1, C17).
fn block_signals() {
    let kept = [
        Signal::SIGUSR1,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGILL,
        Signal::SIGABRT,
        Signal::SIGFPE,
        Signal::SIGKILL,
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGCONT,
        Signal::SIGSTOP,
        Signal::SIGTSTP,
    ];
    let mut blocked = SigSet::all();
    for signal in kept {
        blocked.remove(signal);
    }
    // It cannot fail for a set of existing signals.
    let _ = blocked.thread_block();
}

/// Ends by a signal. The runtime's own handler of SIGSEGV takes the first one for a stack overflow and steps aside.
fn die(signal: Signal) -> ExitCode {
    for _ in 0..2 {
        let _ = raise(signal);
    }
    ExitCode::FAILURE
}

async fn serve(arguments: &Arguments, place: &Place, log: &Log) -> Result<End, Failure> {
    let faults = Faults::of(place, log);
    if faults.fails_start() {
        return Err(Failure::Faults);
    }
    let identity = Identity::of(arguments);
    let config = Config::load(Path::new(&arguments.conf), &identity)?;
    examine(&config, &faults)?;
    let own = config.own.clone().ok_or(Failure::Memory)?;
    let shm =
        Shm::create(place, config.group(), identity.ctlport(&config.ring)).map_err(|_| Failure::Memory)?;
    let socket = format!("k2hdkc-simulator/{}/{}", std::process::id(), now());
    let (events, received) = mpsc::unbounded_channel();
    let started = listen(&config, &own, &socket, log, &events);
    if let Err(failure) = started {
        shm.remove();
        return Err(failure);
    }
    catch_signals(&events)?;
    let start = Start { config, identity, shm, socket, log: log.clone(), faults };
    Ok(Chmpx::new(start, &own, events).run(received).await)
}

fn listen(
    config: &Config,
    own: &k2hdkc_agent::ring::Node,
    socket: &str,
    log: &Log,
    events: &mpsc::UnboundedSender<Event>,
) -> Result<(), Failure> {
    let name = own.name.as_str();
    let open = |what, port| dial::listen(name, port).map_err(|source| Failure::Port { what, port, source });
    if let Some(port) = own.port.filter(|_| config.is_server) {
        tokio::spawn(dial::accept_peers(open("port", i32::from(port.get()))?, events.clone()));
    }
    let control = open("ctlport", i32::from(own.ctlport.get()))?;
    tokio::spawn(dial::accept_commands(control, events.clone()));
    tokio::spawn(dial::accept_processes(dial::listen_locally(socket)?, events.clone()));
    let watch = Watch::new(&config.path, log.clone())?;
    let changed = events.clone();
    tokio::spawn(watch.run(move || changed.send(Event::File).is_ok()));
    Ok(())
}

fn catch_signals(events: &mpsc::UnboundedSender<Event>) -> std::io::Result<()> {
    let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::user_defined1()];
    for kind in kinds {
        let mut caught = signal(kind)?;
        let events = events.clone();
        tokio::spawn(async move {
            while caught.recv().await.is_some() {
                let event = if kind == SignalKind::user_defined1() { Event::Bump } else { Event::Stop };
                if events.send(event).is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// Checks what only a start refuses, or dies of (docs/facts.md C15, lab-start-failures).
fn examine(config: &Config, faults: &Faults) -> Result<(), Failure> {
    let entries = faults.read();
    if is_in(entries.crash_on.as_deref(), |key| config.raw(key)) {
        return Err(Failure::Crash(Signal::SIGSEGV));
    }
    if is_in(entries.dislike.as_deref(), |key| config.raw(key)) {
        return Err(Failure::Faults);
    }
    let group = config.group();
    if group.is_empty() || group.contains('/') || group.len() > 255 {
        return Err(Failure::Memory);
    }
    if config.number("MAXCHMPX") == 0 {
        return Err(Failure::Crash(Signal::SIGSEGV));
    }
    if config.number("MQPERATTACH") == 0 {
        return Err(Failure::Crash(Signal::SIGFPE));
    }
    let queues = ["MAXQPERSERVERMQ", "MAXQPERCLIENTMQ"];
    if group.len() > 238 || queues.iter().any(|key| config.number(key) < 1) {
        return Err(Failure::Queues);
    }
    // A server may have no seed where ids are made otherwise; a slave's own node needs what its id is made of.
    let seedless =
        config.own.as_ref().is_some_and(|own| own.seed.is_empty()) && config.id_type().word() == "custom";
    if seedless || config.number("K2HMASKBIT") < 1 {
        return Err(Failure::Memory);
    }
    Ok(())
}
