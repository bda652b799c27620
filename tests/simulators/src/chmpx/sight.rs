//! The picture that a running chmpx gives of itself.

use super::event::Peer;
use super::node::Chmpx;
use super::picture::Picture;
use super::row::Row;
use super::wire::Attach;
use crate::model::ring::Slots;

impl Chmpx {
    pub(super) fn show(&mut self) {
        let picture = self.picture();
        if let Err(error) = self.files.shm.write(&picture) {
            self.log.err(format_args!("{}: {error}", self.files.shm.path().display()));
        }
    }

    /// Takes the picture of this moment.
    pub(super) fn picture(&self) -> Picture {
        let (list, mut servers) = (&self.ring.list, self.rows());
        let own =
            servers.get(self.ring.own).filter(|_| self.config.is_server).unwrap_or(&self.own_slave).clone();
        servers.extend((0..self.ghosts).map(|_| Row::ghost()));
        let ids = |slots: Slots| slots.iter().filter_map(|place| self.id(place)).collect();
        Picture {
            pid: std::process::id(),
            start_time: self.files.start_time,
            shm: self.files.shm.path().display().to_string(),
            k2h: self.files.shm.k2h().display().to_string(),
            socket: self.files.socket.clone(),
            group: self.config.group().to_owned(),
            id_type: self.config.id_type().word().to_owned(),
            settings: self.config.settings(),
            fileversion: self.config.fileversion,
            date: self.config.date,
            is_server: self.config.is_server,
            automerge: self.config.merges_by_itself(),
            suspended: self.ring.auto.suspended,
            replicas: self.config.replicas(),
            free: self.free_slots(),
            own,
            servers,
            base: ids(list.base()),
            pending: ids(list.pending()),
            slaves: self.slaves(),
            linked: self.linked(),
            clients: self.processes().map(|attach| attach.pid).collect(),
        }
    }

    /// Attached processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = &Attach> {
        self.links.values().filter_map(|(peer, _)| match peer {
            Peer::Process(attach) => Some(attach),
            Peer::Stranger(_) | Peer::Server(_) | Peer::Slave(_) => None,
        })
    }
}
