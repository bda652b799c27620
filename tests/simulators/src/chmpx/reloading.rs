//! The file while chmpx runs: what a change does, and what only looks like one (docs/facts.md C2, C5, C8, C16, C18, C20).

use std::net::IpAddr;

use super::config::Config;
use super::event::{End, Peer};
use super::node::Chmpx;
use super::row::Row;
use crate::model::status::Status;
use crate::simulators::faults::is_in;

impl Chmpx {
    /// The watch heard something: at once the whole file is read.
    pub(super) fn file_changed(&mut self) {
        self.files.deaf |= self.faults.read().deaf;
        if self.files.deaf {
            return;
        }
        let Some(new) = self.read_again() else { return };
        let changed = new.is_changed_from(&self.files.seen) && !self.faults.swallows();
        self.files.seen = new;
        if changed {
            self.apply();
        } else {
            let file = self.files.seen.path.display();
            self.log
                .msg(format_args!("Receive : Reloaded configuration file({file}), but it is not changed."));
        }
    }

    /// Handles a connection to the control port. A process that is not a listed server makes chmpx read the file, which is then
    /// no change any more when the watch reports it. No process is turned away, whatever the log says.
    pub(super) fn control_connected(&mut self, peer: IpAddr) {
        let name = peer.to_string();
        let listed = self.config.ring.servers.iter().any(|node| node.name == name);
        let local = name == "127.0.0.1" || self.own_slave.name == name;
        if self.config.is_server && (listed || local) {
            return;
        }
        let slave = self.config.ring.slaves.iter().any(|node| node.name == name);
        if !slave && !local && !listed {
            self.log.err(format_args!("AcceptCtlport : Denied {name} - (ctlsock:21) by not allowed."));
        }
        if let Some(new) = self.read_again() {
            self.files.seen = new;
        }
    }

    /// Reads the file; one that does not load is the orderly end of the process.
    fn read_again(&mut self) -> Option<Config> {
        let loaded = Config::load(&self.files.seen.path, &self.identity);
        let file = self.files.seen.path.display();
        let new = match loaded {
            Ok(new) => new,
            Err(error) => {
                self.log.err(format_args!("LoadConfiguration : {error}"));
                self.log.err(format_args!(
                    "CheckUpdate : Failed to load configuration from {file}, thus this is fatal error."
                ));
                self.log.msg(format_args!(
                    "Receive : Reloaded configuration file({file}), but it is not changed."
                ));
                self.end = Some(End::Graceful);
                return None;
            }
        };
        let entries = self.faults.read();
        if is_in(entries.crash_on.as_deref(), |key| new.raw(key)) {
            self.end = Some(End::Crash);
            return None;
        }
        if is_in(entries.dislike.as_deref(), |key| new.raw(key)) {
            self.log.err(format_args!(
                "CheckUpdate : Failed to load configuration from {file}, thus this is fatal error."
            ));
            self.end = Some(End::Graceful);
            return None;
        }
        Some(new)
    }

    /// Puts the file as it was read last into force.
    fn apply(&mut self) {
        let (old, new) = (&self.config, &self.files.seen);
        if old.group() != new.group() {
            let (old, new) = (old.group(), new.group());
            return self
                .log
                .err(format_args!("ReloadConfiguration : Could not change groupname({old} -> {new})."));
        }
        if old.id_type() != new.id_type() {
            return self.log.err("ReloadConfiguration : CHMPXID Seed type is different.");
        }
        let is_server = old.is_server;
        let mut config = new.clone();
        config.is_server = is_server;
        self.config = config;
        self.load();
    }

    /// Loads the file that is in force into the model. Rows that it does not list any more go when they are `[SERVICE OUT][DOWN]`,
    /// and no sooner (C10); what they leave is there for new ones.
    pub(super) fn load(&mut self) {
        self.ghosts = 0;
        self.ring.load(self.ini());
        self.settle_rows();
        self.list_servers();
        self.ring.load(self.ini());
        self.settle_rows();
    }

    /// Connected slaves; the server before this one in the ring is connected as one of them.
    pub(super) fn slaves(&self) -> Vec<Row> {
        let slaves = self.links.values().filter_map(|(peer, _)| match peer {
            Peer::Slave(row) => Some((**row).clone()),
            Peer::Stranger(_) | Peer::Server(_) | Peer::Process(_) => None,
        });
        let linked = self.linked();
        let ring: Vec<&Row> =
            self.rows.iter().filter(|row| row.id == self.own || linked.contains(&row.id)).collect();
        let place = ring.iter().position(|row| row.id == self.own && self.config.is_server);
        let before =
            place.filter(|_| ring.len() > 1).map(|place| ring[(place + ring.len() - 1) % ring.len()]);
        let as_slave = |row: &Row| Row { port: -1, status: Status::SLAVE_UP, ..row.clone() };
        before.map(as_slave).into_iter().chain(slaves).collect()
    }

    /// Slots of the table that are left.
    pub(super) fn free_slots(&self) -> usize {
        // A slave is no server, and takes one for itself.
        let own = usize::from(!self.config.is_server);
        self.files.capacity.saturating_sub(self.rows.len() + self.slaves().len() + own)
    }
}
