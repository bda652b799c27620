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
use super::merging::Merging;
use super::own::Identity;
use super::shm::Shm;
use super::wire::{Frame, Note};
use crate::model::status::Status;
use crate::model::table::{Row, Table};
use crate::simulators::faults::Faults;
use crate::simulators::log::Log;

/// The state. Its behaviour stands in the modules named after it.
#[derive(Debug)]
pub struct Chmpx {
    pub(super) log: Log,
    pub(super) faults: Faults,
    pub(super) identity: Identity,
    /// The file that is in force.
    pub(super) config: Config,
    /// The file as it was read last: a change is a difference to this.
    pub(super) seen: Config,
    pub(super) deaf: bool,
    pub(super) own: u64,
    pub(super) own_slave: Row,
    /// MAXCHMPX at the start.
    pub(super) capacity: usize,
    pub(super) table: Table,
    pub(super) links: BTreeMap<u64, (Peer, Link)>,
    /// Servers that were called and have not answered yet.
    pub(super) dialling: HashSet<u64>,
    /// Servers that have said no, and were not heard of since.
    pub(super) refused: HashSet<u64>,
    pub(super) merging: Merging,
    pub(super) traces: bool,
    pub(super) client_left: Option<Instant>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) wakes: HashSet<Wake>,
    pub(super) end: Option<End>,
    pub(super) shm: Shm,
    pub(super) start_time: u64,
    pub(super) socket: String,
    last_stamp: u64,
}

/// A timer that is set at most once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wake {
    Advance,
    Rescan,
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
        let id = config.id_of(own);
        let slave = Row { port: -1, ..Row::of(id, own, Status::SLAVE_UP, now()) };
        let startup = config.is_server && config.merges_by_itself();
        let mut chmpx = Self {
            own: id,
            own_slave: slave,
            capacity: config.count("MAXCHMPX"),
            table: Table::default(),
            links: BTreeMap::new(),
            dialling: HashSet::new(),
            refused: HashSet::new(),
            merging: Merging::new(startup),
            traces: false,
            client_left: None,
            wakes: HashSet::new(),
            end: None,
            start_time: now() / 1_000_000,
            last_stamp: 0,
            seen: config.clone(),
            deaf: false,
            config,
            identity,
            log,
            faults,
            events,
            shm,
            socket,
        };
        chmpx.list_servers();
        if chmpx.config.is_server {
            chmpx.set_own(|_| Status::STARTED);
        }
        chmpx
    }

    /// Runs until something ends it.
    pub async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) -> End {
        self.rescan();
        self.show();
        while let Some(event) = events.recv().await {
            self.take(event);
            while self.end.is_none()
                && let Ok(next) = events.try_recv()
            {
                self.take(next);
            }
            if let Some(end) = self.end {
                if end == End::Graceful {
                    self.shm.remove();
                }
                return end;
            }
            self.keep_linked();
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
            Event::Advance => {
                self.wakes.remove(&Wake::Advance);
                self.advance();
            }
            Event::Rescan => {
                self.wakes.remove(&Wake::Rescan);
                self.rescan();
            }
            Event::ClientGone => self.client_gone(),
            Event::Copied(number) => self.copied(number),
            Event::Gathered(number, items) => self.gathered(number, items),
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
        self.end = match (self.merging.hangs(), just_left && self.config.is_server) {
            (true, _) => None,
            (false, true) => Some(End::Crash),
            (false, false) => Some(End::Graceful),
        };
    }

    /// A later moment than any before, in microseconds.
    pub(super) fn stamp(&mut self) -> u64 {
        self.last_stamp = now().max(self.last_stamp + 1);
        self.last_stamp
    }

    /// The own status; that of a slave never changes.
    pub(super) fn own_status(&self) -> Status {
        self.table.get(self.own).filter(|_| self.config.is_server).map_or(Status::SLAVE_UP, |row| row.status)
    }

    /// Changes the own status and tells everybody.
    pub(super) fn set_own(&mut self, change: impl FnOnce(Status) -> Status) {
        let status = change(self.own_status());
        self.set_status(self.own, status);
    }

    /// Changes a status, if it is another one, and tells everybody; whether it was.
    pub(super) fn set_status(&mut self, id: u64, status: Status) -> bool {
        let stamp = self.stamp();
        let Some(row) = self.table.get_mut(id).filter(|row| row.status != status) else { return false };
        let old = std::mem::replace(&mut row.status, status);
        row.stamp = stamp;
        let row = row.clone();
        self.log.msg(format_args!(
            "Status({:#018x}:{status}) is changed from old status({:#018x}:{old}).",
            status.bits(),
            old.bits()
        ));
        self.spread(&[row], None);
        self.wake(Wake::Advance, Duration::from_millis(10));
        true
    }

    /// Tells rows to every server and slave but the one they came from.
    pub(super) fn spread(&self, rows: &[Row], from: Option<u64>) {
        if rows.is_empty() || !self.config.is_server {
            return;
        }
        let others = self.links.iter().filter(|(number, (peer, _))| {
            matches!(peer, Peer::Server(_) | Peer::Slave(_)) && Some(**number) != from
        });
        others.for_each(|(_, (_, link))| link.tell(Note::Rows(rows.to_vec())));
    }

    /// Sets a timer, unless it is set.
    pub(super) fn wake(&mut self, wake: Wake, after: Duration) {
        if self.wakes.insert(wake) {
            let event = match wake {
                Wake::Advance => Event::Advance,
                Wake::Rescan => Event::Rescan,
            };
            self.later(after, event);
        }
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
