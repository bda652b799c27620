//! A running chmpx: one owner of all its state, which takes one event after the other.
//!
//! Sockets, timers and the watch live in tasks that only send events. Whatever must wait for an answer is a task of its
//! own, too; it never touches the state.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::config::Config;
use super::event::{End, Event, Peer};
use super::link::Link;
use super::own::Identity;
use super::row::Row;
use super::shm::Shm;
use super::wire::{Frame, Note};
use crate::model::ring::{self, Ini, MOST};
use crate::model::status::Status;
use crate::simulators::faults::Faults;
use crate::simulators::log::Log;

/// The state. Its behaviour stands in the modules named after it.
#[derive(Debug)]
pub struct Chmpx {
    pub(super) log: Log,
    pub(super) identity: Identity,
    pub(super) faults: Faults,
    pub(super) files: Files,
    /// The file that is in force.
    pub(super) config: Config,
    pub(super) own: u64,
    pub(super) own_slave: Row,
    /// The node of the model.
    pub(super) ring: ring::Chmpx,
    /// The servers, by the numbers that they have in the model; each with the status that was logged last.
    pub(super) rows: Vec<Row>,
    /// Servers for which there was no slot.
    pub(super) ghosts: usize,
    pub(super) links: BTreeMap<u64, (Peer, Link)>,
    pub(super) calls: Calls,
    pub(super) traces: bool,
    pub(super) client_left: Option<Instant>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) end: Option<End>,
}

/// The files of a process.
#[derive(Debug)]
pub(super) struct Files {
    /// The ini as it was read last: a change is a difference to this.
    pub(super) seen: Config,
    pub(super) deaf: bool,
    /// MAXCHMPX at the start.
    pub(super) capacity: usize,
    pub(super) shm: Shm,
    pub(super) socket: String,
    pub(super) start_time: u64,
}

/// The calls to other servers.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Servers that were called and have not answered yet.
    pub(super) open: HashSet<u64>,
    /// Notes for servers that are being called.
    pub(super) unsent: BTreeMap<u64, Vec<Note>>,
    /// Records whether the next look for servers is planned.
    pub(super) rescans: bool,
}

/// The findings of a starting process.
#[derive(Debug)]
pub struct Start {
    /// The file.
    pub config: Config,
    /// The identity of the reader.
    pub identity: Identity,
    /// The files.
    pub shm: Shm,
    /// The socket.
    pub socket: String,
    /// The log.
    pub log: Log,
    /// The faults.
    pub faults: Faults,
}

impl Chmpx {
    /// The state at the start; its own node must be known.
    pub fn new(start: Start, own: &k2hdkc_agent::ring::Node, events: mpsc::UnboundedSender<Event>) -> Self {
        let Start { config, identity, shm, socket, log, faults } = start;
        let (id, is_server) = (config.id_of(own), config.is_server);
        let number = if is_server { 0 } else { MOST - 1 };
        let automerge = config.merges_by_itself();
        let files = Files {
            seen: config.clone(),
            deaf: false,
            capacity: config.count("MAXCHMPX"),
            shm,
            socket,
            start_time: now() / 1_000_000,
        };
        let mut chmpx = Self {
            own: id,
            own_slave: Row { port: -1, ..Row::of(id, own, Status::SLAVE_UP, now()) },
            ring: ring::Chmpx::started(number, is_server, Ini { automerge, ..Ini::default() }, now()),
            rows: Vec::new(),
            ghosts: 0,
            links: BTreeMap::new(),
            calls: Calls::default(),
            traces: false,
            client_left: None,
            end: None,
            log,
            identity,
            faults,
            files,
            config,
            events,
        };
        if is_server {
            chmpx.rows.push(Row::of(id, own, Status::GHOST, 0));
        }
        chmpx.load();
        chmpx
    }

    /// Runs until something ends it.
    pub async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) -> End {
        self.rescan();
        self.show();
        while let Some(event) = events.recv().await {
            let mut batch = vec![event];
            batch.extend(std::iter::from_fn(|| events.try_recv().ok()));
            batch.sort_by_key(Event::is_request);
            for event in batch {
                self.take(event);
                if let Some(end) = self.end {
                    if end == End::Graceful {
                        self.files.shm.remove();
                    }
                    return end;
                }
            }
            self.keep_looking();
            self.show();
        }
        End::Graceful
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Opened(number, link, origin) => self.opened(number, link, origin),
            Event::Frame(number, frame) => self.frame(number, frame),
            Event::Closed(number) => self.closed(number),
            Event::Unreachable(id) => self.unreachable(id),
            Event::File => self.file_changed(),
            Event::Control(peer) => self.control_connected(peer),
            Event::Command(bytes, answer) => self.command(&bytes, answer),
            Event::Post(id, note) => self.post(id, *note),
            Event::Tick(number) => self.act(|chmpx, turn| chmpx.tick(number, turn)),
            Event::Rescan => {
                self.calls.rescans = false;
                self.rescan();
            }
            Event::ClientGone => self.client_gone(),
            Event::Last { number, asked, last } => self.last_answered(number, asked, last),
            Event::Gave(asker, items) => self.gave(asker, items),
            Event::Written(record) => self.replicate(&record),
            Event::Stop => self.stop(),
            Event::Bump => self.log.bump(),
        }
    }

    fn frame(&mut self, number: u64, frame: Frame) {
        match frame {
            Frame::Note(note) => self.note(number, note),
            Frame::Ask { ticket, question } => self.asked(number, ticket, question),
            Frame::Answer { ticket, reply } => {
                if let Some((_, link)) = self.links.get_mut(&number) {
                    link.answered(ticket, reply);
                }
            }
        }
    }

    /// HUP ends it, unless it hangs in a merge; right after its k2hdkc it dies of it (docs/facts.md C17).
    fn stop(&mut self) {
        let just_left = self.client_left.is_some_and(|left| left.elapsed() < Duration::from_millis(100));
        self.end = match (self.hangs(), just_left && self.config.is_server) {
            (true, _) => None,
            (false, true) => Some(End::Crash),
            (false, false) => Some(End::Graceful),
        };
    }

    /// Sends an event from a task.
    pub(super) fn events(&self) -> mpsc::UnboundedSender<Event> {
        self.events.clone()
    }

    /// An event after a while.
    pub(super) fn later(&self, after: Duration, event: Event) {
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // Nobody hears it when the process ends.
            let _ = events.send(event);
        });
    }
}

/// Microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "chmpx tells its own wall clock")]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
