//! Servers with k2hdkc and one slave with a client, and sixty keys.

use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_simulators::simulators::stage::{Node, Stage, Style};
use nix::sys::signal::Signal;

const KEYS: usize = 60;
const SLAVE: u32 = 100;

pub(crate) struct Cluster {
    stage: Stage,
    servers: Vec<Node>,
    slave: Node,
    fileversion: u32,
}

impl Cluster {
    pub(crate) fn of(servers: u32, style: Style) -> Self {
        let cluster = Self::without_service(servers, style);
        cluster.wait_in_service();
        cluster
    }

    /// With AUTOMERGE off each server comes into service by commands.
    pub(crate) fn by_hand(servers: u32, style: Style) -> Self {
        let mut cluster = Self::without_service(servers, style);
        for (n, number) in (0..servers).enumerate() {
            cluster.everybody_sees(number, 0x11);
            assert!(cluster.server(n).sees(number, 0x11));
            let steps = [("SERVICEIN", 0x1121), ("MERGE", 0x3121), ("COMPMERGE", 0x21)];
            for (command, status) in steps {
                let own = cluster.server(n);
                assert!(own.ask(command).unwrap().starts_with("SUCCEED"), "{command}: {:?}", own.statuses());
                assert!(own.sees(number, status), "{command}: {:?}", own.statuses());
                cluster.everybody_sees(number, status);
            }
        }
        cluster
    }

    /// All processes run. With AUTOMERGE off no server is in service; else they join one after the other, since one that comes while
    /// another one merges may stay out (docs/facts.md C21).
    pub(crate) fn without_service(servers: u32, style: Style) -> Self {
        let automerge = style.automerge;
        let stage = Stage::new(style).unwrap();
        let nodes = (0..servers).map(|n| stage.node(n).unwrap()).collect();
        let slave = stage.node(SLAVE).unwrap();
        let mut cluster = Self { stage, servers: nodes, slave, fileversion: 1 };
        cluster.push();
        cluster.slave.start_chmpx().unwrap();
        for node in &mut cluster.servers {
            node.start_chmpx().unwrap();
        }
        for n in 0..cluster.servers.len() {
            cluster.wait_for_peers(n);
            cluster.servers[n].start_k2hdkc(&["-no_giveup_rejoin"]).unwrap();
            let number = cluster.servers[n].number;
            assert!(
                !automerge || cluster.servers[n].sees(number, 0x21),
                "{:?}",
                cluster.servers[n].statuses()
            );
            if automerge {
                cluster.everybody_sees(number, 0x21);
            }
        }
        cluster
    }

    fn numbers(&self) -> Vec<u32> {
        self.servers.iter().map(|node| node.number).collect()
    }

    fn push(&self) {
        let numbers = self.numbers();
        for node in self.servers.iter().chain([&self.slave]) {
            node.push(&self.stage.ini(node.number, self.fileversion, &numbers, &[SLAVE])).unwrap();
        }
    }

    fn wait_for_peers(&self, n: usize) {
        let numbers = self.numbers();
        let up = |number: &u32| self.servers[n].status_of(*number) & 1 == 1;
        assert!(
            wait_for(Duration::from_secs(10), || numbers.iter().all(up)),
            "{:?}",
            self.servers[n].statuses()
        );
    }

    pub(crate) fn wait_in_service(&self) {
        let healthy = |node: &Node| {
            let statuses = node.statuses();
            !statuses.is_empty() && statuses.iter().all(|(_, bits)| *bits == 0x21)
        };
        let all = || self.servers.iter().chain([&self.slave]).all(healthy);
        assert!(
            wait_for(Duration::from_secs(15), all),
            "{:?}\n{}",
            self.slave.statuses(),
            self.servers.iter().chain([&self.slave]).map(|node| node.log("chmpx")).collect::<String>()
        );
    }

    pub(crate) fn server(&mut self, n: usize) -> &mut Node {
        &mut self.servers[n]
    }

    pub(crate) fn slave(&mut self) -> &mut Node {
        &mut self.slave
    }

    /// A FILEVERSION that changes nothing else, loaded everywhere.
    pub(crate) fn reload(&mut self) {
        self.fileversion += 1;
        self.push();
        for node in self.servers.iter().chain([&self.slave]) {
            assert!(node.shows(self.fileversion), "{}", node.log("chmpx"));
        }
    }

    pub(crate) fn write(&mut self) {
        let mut client = self.slave.client();
        for key in 0..KEYS {
            client.set(&format!("key-{key}"), &format!("value-{key}")).unwrap();
        }
    }

    pub(crate) fn readable(&self) -> usize {
        let mut client = self.slave.client();
        let good = |key: &usize| {
            client.get(&format!("key-{key}")).is_ok_and(|value| value == Some(format!("value-{key}")))
        };
        (0..KEYS).filter(good).count()
    }

    /// A more server, in the recommended order.
    pub(crate) fn grow(&mut self) {
        self.grow_with("");
        self.wait_in_service();
    }

    /// A more server with those faults; what becomes of it is for the caller to see.
    pub(crate) fn grow_with(&mut self, faults: &str) {
        self.add();
        self.fileversion += 1;
        self.push();
        for node in &self.servers[..self.servers.len() - 1] {
            assert!(node.has_loaded(self.fileversion), "{}", node.log("chmpx"));
        }
        let last = self.servers.len() - 1;
        self.servers[last].put("simulator.toml", faults).unwrap();
        self.servers[last].start_chmpx().unwrap();
        self.wait_for_peers(last);
        self.servers[last].start_k2hdkc(&["-no_giveup_rejoin"]).unwrap();
    }

    /// A more server whose chmpx starts before the others know of it.
    pub(crate) fn early(&self) -> Node {
        let number = u32::try_from(self.servers.len()).unwrap();
        let mut node = self.stage.node(number).unwrap();
        let mut numbers = self.numbers();
        numbers.push(number);
        node.push(&self.stage.ini(number, self.fileversion + 1, &numbers, &[SLAVE])).unwrap();
        node.start_chmpx().unwrap();
        node
    }

    /// A slave that no server lists.
    pub(crate) fn early_slave(&self, number: u32) -> Node {
        let mut node = self.stage.node(number).unwrap();
        node.push(&self.stage.ini(number, 1, &self.numbers(), &[SLAVE, number])).unwrap();
        node.start_chmpx().unwrap();
        node
    }

    /// A server lists it from now on.
    pub(crate) fn list_slave(&mut self, n: usize, number: u32) {
        self.fileversion += 1;
        let node = &self.servers[n];
        node.push(&self.stage.ini(node.number, self.fileversion, &self.numbers(), &[SLAVE, number])).unwrap();
        assert!(node.has_loaded(self.fileversion), "{}", node.log("chmpx"));
    }

    /// The others learn of it.
    pub(crate) fn accept(&mut self, node: Node) {
        self.servers.push(node);
        self.fileversion += 1;
        self.push();
    }

    /// The files of all but the last server do not list it any more.
    pub(crate) fn shrink(&mut self) {
        self.fileversion += 1;
        let numbers = &self.numbers()[..self.servers.len() - 1];
        for node in self.servers[..numbers.len()].iter().chain([&self.slave]) {
            node.push(&self.stage.ini(node.number, self.fileversion, numbers, &[SLAVE])).unwrap();
        }
        for node in &self.servers[..numbers.len()] {
            assert!(node.has_loaded(self.fileversion), "{}", node.log("chmpx"));
        }
    }

    fn add(&mut self) {
        let number = u32::try_from(self.servers.len()).unwrap();
        self.servers.push(self.stage.node(number).unwrap());
    }

    /// A more server that starts k2hdkc before the others know of it.
    pub(crate) fn add_private_ring(&mut self) {
        self.add();
        let last = self.servers.len() - 1;
        let own = self.servers[last].number;
        let ini = self.stage.ini(own, 2, &self.numbers(), &[SLAVE]);
        self.servers[last].push(&ini).unwrap();
        self.servers[last].start_chmpx().unwrap();
        self.servers[last].start_k2hdkc(&["-no_giveup_rejoin"]).unwrap();
        assert!(self.servers[last].sees(own, 0x21), "alone: {:?}", self.servers[last].statuses());
        self.fileversion = 2;
        self.push();
        for n in 0..=last {
            let node = &self.servers[n];
            let all = || self.numbers().iter().all(|number| node.status_of(*number) == 0x21);
            assert!(wait_for(Duration::from_secs(15), all), "{:?}", node.statuses());
            // Slaves hear of a server from the one that has called it, and of the other one where that one speaks.
            assert_eq!(node.ask("UPDATESTATUS").unwrap(), "SUCCEED\n");
        }
        self.wait_in_service();
    }

    pub(crate) fn restart_chmpx(&mut self, n: usize) {
        assert!(self.servers[n].end("chmpx", Signal::SIGHUP).unwrap().success());
        self.servers[n].start_chmpx().unwrap();
    }

    pub(crate) fn restart_both(&mut self, n: usize) {
        assert!(self.servers[n].end("k2hdkc", Signal::SIGHUP).unwrap().success());
        assert!(self.slave.sees(self.servers[n].number, 0x10021), "{:?}", self.slave.statuses());
        self.restart_chmpx(n);
        self.servers[n].start_k2hdkc(&["-no_giveup_rejoin"]).unwrap();
    }

    pub(crate) fn kill(&mut self, n: usize) {
        self.servers[n].end("chmpx", Signal::SIGKILL).unwrap();
        self.servers[n].end("k2hdkc", Signal::SIGKILL).unwrap();
    }

    /// Every node but that server itself sees it so in the end.
    pub(crate) fn everybody_sees(&self, number: u32, status: u64) {
        for node in self.servers.iter().chain([&self.slave]).filter(|node| node.number != number) {
            assert!(
                node.sees(number, status),
                "node{}: {:x?}\n{}",
                node.number,
                node.statuses(),
                node.log("chmpx")
            );
        }
    }

    pub(crate) fn service_out(&mut self, n: usize) {
        let node = &self.servers[n];
        let command = format!("SERVICEOUT {}:8021:node{}", node.address, node.number);
        assert_eq!(node.ask(&command).unwrap(), "SUCCEED\n");
        assert!(self.slave.sees(node.number, 0x11), "{:?}", self.slave.statuses());
    }
}
