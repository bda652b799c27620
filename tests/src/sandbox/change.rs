//! Carries out what an event changes. Whether the nodes follow is not its business.

use std::io;
use std::time::Instant;

use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::ring::Mode;

use super::cluster::Cluster;
use super::malady::Cause;
use super::member::Member;
use super::scenario::What;
use crate::k2hr3::Sickness;

/// A change that was carried out.
#[derive(Debug)]
pub(super) struct Changed {
    /// When the last of the members had changed in K2HR3, or else, when everything was done.
    pub at: Instant,
    /// The beginning, by the clock of statuses.
    pub begun: Timestamp,
    /// Nodes that are in no role any more, and whose agents still run.
    pub left: Vec<Member>,
    /// Nodes that started.
    pub booted: Vec<String>,
}

impl Cluster {
    /// Carries out a change.
    pub(super) fn change(&mut self, what: &What) -> io::Result<Changed> {
        let (begun, changes, members) = (Timestamp::now(), self.lab.changes().len(), self.members.len());
        let mut left = Vec::new();
        match what {
            What::Join { servers, slaves } => self.join_all(*servers, *slaves)?,
            What::Leave(mode) => left.push(self.deregister_newest(*mode)?),
            What::Vanish(servers) => self.vanish(*servers)?,
            What::Sick(malady) => self.fall_ill(&malady.cause)?,
            What::AgentKilled => self.kill_first_server()?,
            What::StartWithoutNetwork => self.restart_first_slave_alone()?,
        }
        let news = self.lab.changes().split_off(changes);
        let at = news.last().map_or_else(Instant::now, |change| change.at);
        let booted = self.members.iter().skip(members).map(|member| member.name.clone()).collect();
        Ok(Changed { at, begun, left, booted })
    }

    /// K2HR3 is well again.
    pub(super) async fn cure(&mut self) -> io::Result<()> {
        self.lab.set_sickness(None);
        self.resume_k2hr3().await
    }

    fn join_all(&mut self, servers: usize, slaves: usize) -> io::Result<()> {
        (0..servers).try_for_each(|_| self.join(Mode::Server))?;
        (0..slaves).try_for_each(|_| self.join(Mode::Slave))
    }

    fn vanish(&mut self, servers: usize) -> io::Result<()> {
        let gone: io::Result<Vec<_>> = (0..servers).map(|_| self.deregister_newest(Mode::Server)).collect();
        gone.map(drop)
    }

    fn fall_ill(&mut self, cause: &Cause) -> io::Result<()> {
        let first = self.members[self.first(Mode::Server)?].name.clone();
        match cause {
            Cause::Answers(sickness) => self.lab.set_sickness(Some(sickness.clone())),
            Cause::FirstServerMissing => {
                self.lab.set_sickness(Some(Sickness::WithoutHost { cuk: first }));
            }
            Cause::FirstServerBlinks => self.lab.set_sickness(Some(Sickness::BlinkOnReregister)),
            Cause::Down => self.stop_k2hr3(),
        }
        if !cause.lets_changes_through() {
            self.change_operators_key();
        }
        Ok(())
    }

    fn kill_first_server(&mut self) -> io::Result<()> {
        let first = self.first(Mode::Server)?;
        self.members[first].node.kill()?;
        self.change_operators_key();
        Ok(())
    }

    fn restart_first_slave_alone(&mut self) -> io::Result<()> {
        let first = self.first(Mode::Slave)?;
        self.members[first].stop()?;
        self.stop_k2hr3();
        let node = &mut self.members[first].node;
        std::fs::remove_file(node.ini())?;
        node.start()
    }
}
