//! Carries out what an event changes. Whether the nodes follow is not its business.

use std::io;
use std::time::Instant;

use k2hdkc_agent::clock::Timestamp;
use k2hdkc_agent::ring::Mode;
use nix::sys::signal::Signal;

use super::census::{self, Program};
use super::cluster::Cluster;
use super::director::Trouble;
use super::member::Member;
use super::scenario::What;
use super::sick::Cause;
use k2hdkc_simulators::k2hr3::Sickness;

/// A change that was carried out.
#[derive(Debug)]
pub(super) struct Changed {
    /// When the last of the members had changed in K2HR3, or else, when everything was done.
    pub at: Instant,
    /// The beginning, by the clock of statuses.
    pub begun: Timestamp,
    /// Nodes that are in no role any more, and still run.
    pub left: Vec<Member>,
    /// Nodes that started.
    pub booted: Vec<String>,
}

impl Cluster {
    /// Carries out a change.
    pub(super) async fn change(&mut self, what: &What) -> Result<Changed, Trouble> {
        let (begun, changes, members) = (Timestamp::now(), self.lab.changes().len(), self.members.len());
        let mut left = Vec::new();
        match what {
            What::Join { servers, slaves } => {
                let modes = [vec![Mode::Server; *servers], vec![Mode::Slave; *slaves]].concat();
                self.join(&modes)?;
            }
            What::Leave(mode) => left.push(self.take_leave(*mode).await?),
            What::Vanish(servers) => {
                for _ in 0..*servers {
                    let newest = self.newest(Mode::Server)?;
                    left.push(self.deregister(newest));
                }
            }
            What::Sick(answer) => self.fall_ill(&answer.cause).await?,
            What::AgentKilled => {
                let first = self.first(Mode::Server)?;
                self.members[first].node.kill()?;
                self.change_operators_key();
            }
            What::Killed(program) => self.kill_of_second_server(*program)?,
            What::StartWithoutNetwork => self.reboot_newest_slave_alone().await?,
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

    async fn fall_ill(&mut self, cause: &Cause) -> io::Result<()> {
        let first = self.members[self.first(Mode::Server)?].name.clone();
        match cause {
            Cause::Answers(sickness) => self.lab.set_sickness(Some(sickness.clone())),
            Cause::FirstServerMissing => {
                self.lab.set_sickness(Some(Sickness::WithoutHost { cuk: first }));
            }
            Cause::FirstServerBlinks => self.lab.set_sickness(Some(Sickness::BlinkOnReregister)),
            Cause::Down => self.stop_k2hr3().await,
        }
        if !cause.lets_changes_through() {
            self.change_operators_key();
        }
        Ok(())
    }

    fn kill_of_second_server(&mut self, program: Program) -> io::Result<()> {
        let name = self.second_server()?.name.clone();
        let life = self.census.lives().running(&name, program);
        let life = life.ok_or_else(|| io::Error::other(format!("{name} has no {}", program.name())))?;
        census::signal(life.pid, Signal::SIGKILL)
    }

    /// The one whose processes are killed.
    pub(super) fn second_server(&self) -> io::Result<&Member> {
        let mut servers = self.members.iter().filter(|member| member.mode == Mode::Server);
        servers.nth(1).ok_or_else(|| io::Error::other("there is only one server"))
    }

    /// A VM that shuts down, loses its file, and boots while K2HR3 is down.
    async fn reboot_newest_slave_alone(&mut self) -> Result<(), Trouble> {
        let newest = self.newest(Mode::Slave)?;
        let within = self.pace.patience;
        let name = self.members[newest].name.clone();
        self.traffic.stop(&name).await;
        let member = &mut self.members[newest];
        member.set_on_exit(true, within).await.map_err(|error| Trouble::at(&name, error))?;
        member.stop().await.map_err(|error| Trouble::at(&name, error))?;
        self.stop_k2hr3().await;
        let member = &mut self.members[newest];
        std::fs::remove_file(member.node.ini())?;
        member.node.swap("etc/k2hdkc-agent/conf.d/90-leave.toml", "")?;
        Ok(member.node.start()?)
    }
}
