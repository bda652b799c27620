//! The programs of a host: starts, ends and signals.

use super::Ring;
use super::chmpx::{Chmpx, Ini};
use super::host::K2hdkc;
use super::list::{Micros, Node};
use super::queue::Event;

/// A chmpx that is alone tries all others again after this time: a server, a slave.
const RESCAN: [Micros; 2] = [10_000_000, 200_000];
/// A k2hdkc joins another chmpx than the one that it was started with after this time.
const REJOINS: Micros = 900_000;

impl Ring {
    /// Replaces the ini of a node. A chmpx that runs loads it.
    pub fn write(&mut self, node: Node, ini: Ini) {
        let host = &mut self.hosts[node];
        host.ini = ini;
        if let Some(chmpx) = host.chmpx.as_mut().filter(|_| !host.frozen) {
            chmpx.load(ini);
        }
    }

    /// Starts chmpx.
    pub fn start_chmpx(&mut self, node: Node) {
        if self.hosts[node].chmpx.is_some() {
            return;
        }
        let (now, is_server) = (self.now, node < self.servers);
        let host = &mut self.hosts[node];
        host.life += 1;
        host.frozen = false;
        host.chmpx = Some(Chmpx::started(node, is_server, host.ini, now));
        let life = host.life;
        self.queue.plan(now + 20_000, Event::Rescan { at: node, life });
        if let Some(k2hdkc) = &mut self.hosts[node].k2hdkc {
            k2hdkc.merges = false;
            let life = self.hosts[node].dkc_life;
            self.queue.plan(now + REJOINS, Event::Join { at: node, life });
        }
    }

    /// Ends chmpx at once.
    pub fn kill_chmpx(&mut self, node: Node) {
        let Some(chmpx) = self.hosts[node].chmpx.take() else { return };
        self.hosts[node].frozen = false;
        self.hosts[node].inbox.clear();
        self.hosts[node].works.clear();
        self.part_all(node, chmpx.linked);
    }

    /// Starts k2hdkc. It needs its chmpx.
    pub fn start_k2hdkc(&mut self, node: Node) {
        let host = &mut self.hosts[node];
        if host.k2hdkc.is_some() || host.chmpx.is_none() {
            return;
        }
        host.dkc_life += 1;
        host.k2hdkc = Some(K2hdkc { stopped: false, merges: true });
        let (life, at) = (host.dkc_life, self.now + self.rng.u64(20_000..60_000));
        self.queue.plan(at, Event::Join { at: node, life });
    }

    /// Ends k2hdkc at once. Its file stays as it is.
    pub fn kill_k2hdkc(&mut self, node: Node) {
        let host = &mut self.hosts[node];
        if host.k2hdkc.take().is_some() {
            host.works.clear();
            host.busy = false;
            let (life, at) = (host.life, self.now + self.rng.u64(80_000..150_000));
            self.queue.plan(at, Event::Gone { at: node, life });
        }
    }

    /// SIGSTOP of k2hdkc, or SIGCONT.
    pub fn stop_k2hdkc(&mut self, node: Node, stopped: bool) {
        if let Some(k2hdkc) = &mut self.hosts[node].k2hdkc {
            k2hdkc.stopped = stopped;
        }
        self.plan_work(node);
    }

    /// SIGSTOP of chmpx, or SIGCONT.
    pub fn freeze_chmpx(&mut self, node: Node, frozen: bool) {
        if self.hosts[node].chmpx.is_none() {
            return;
        }
        self.hosts[node].frozen = frozen;
        if !frozen {
            let ini = self.hosts[node].ini;
            if let Some(chmpx) = self.hosts[node].chmpx.as_mut().filter(|chmpx| chmpx.ini != ini) {
                chmpx.load(ini);
            }
            self.drain(node);
        }
    }

    /// Loses the file of k2hdkc, as a new machine does.
    pub fn wipe(&mut self, node: Node) {
        self.hosts[node].store = super::store::Store::default();
    }

    pub(super) fn rescan(&mut self, node: Node, life: u32) {
        let is_server = node < self.servers;
        let servers = self.servers;
        let Some(chmpx) = self.hosts[node].alive(life) else { return };
        let alone = !(0..servers).any(|server| chmpx.linked.has(server));
        let known: Vec<Node> =
            chmpx.list.iter().map(|(server, _)| server).filter(|server| *server != node).collect();
        if alone && !self.hosts[node].frozen {
            for server in known {
                self.connect(node, server);
            }
        }
        self.queue.plan(self.now + RESCAN[usize::from(!is_server)], Event::Rescan { at: node, life });
    }

    pub(super) fn join(&mut self, node: Node, life: u32) {
        if self.hosts[node].dkc_life == life && self.hosts[node].k2hdkc.is_some() {
            self.turn(node, Chmpx::joined);
        }
    }

    pub(super) fn gone(&mut self, node: Node, life: u32) {
        if self.hosts[node].k2hdkc.is_none() && self.hosts[node].alive(life).is_some() {
            self.turn(node, Chmpx::left);
        }
    }
}
