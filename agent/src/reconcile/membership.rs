//! The latest word of the source: the last readable answer, the doubts since, and the wait before the next poll. Looks at no
//! file, changes none.

use std::rc::Rc;
use std::time::Duration;

use super::Reconciler;
use crate::answer::{Answer, Doubt};
use crate::automerge::{Asked, Automerge};
use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::membership::{self, Reader, Roles, Template, Wanted};
use crate::names::Yrn;
use crate::pace;
use crate::problem::{Note, Problem};
use crate::ring::{Mode, Ring};
use crate::settings::Poll;
use crate::source::Answered;
use crate::supervisor::Supervisor;

/// The latest word of the source on who is a member.
#[derive(Debug)]
pub(super) struct Membership {
    /// The latest readable answer, or the problems with it.
    pub(super) answer: Option<Result<Rc<Wanted>, Vec<Problem>>>,
    /// Doubtful answers in a row.
    doubts: u32,
    /// The latest of them.
    pub(super) doubt: Option<Doubt>,
    /// The keys of merging as the latest readable answer has them.
    asked: Asked,
    /// The source's remark beside its latest answer.
    pub(super) remark: Option<String>,
    /// Smoothed answer time.
    cost: Option<Duration>,
    /// Nodes of the cluster when that was last known: so many agents ask K2HR3.
    nodes: usize,
    /// Time of the latest good answer, also of one that an earlier agent had.
    pub(super) last_good: Option<Timestamp>,
}

impl Membership {
    pub(super) fn new(last_good: Option<Timestamp>) -> Self {
        let (answer, doubt, remark, cost) = (None, None, None, None);
        Self { answer, doubts: 0, doubt, asked: Asked::default(), remark, cost, nodes: 1, last_good }
    }

    /// Returns the members of the latest answer that could be read.
    pub(super) fn wanted(&self) -> Option<&Rc<Wanted>> {
        self.answer.as_ref().and_then(|answer| answer.as_ref().ok())
    }

    /// Takes in a readable answer, or the problems with it.
    fn understand(&mut self, answer: Result<Wanted, Vec<Problem>>) {
        if let Ok(wanted) = &answer {
            self.asked = Asked::of(&wanted.ring);
        }
        self.answer = Some(answer.map(Rc::new));
    }

    /// Gives the answer the keys that the way of merging asks for.
    pub(super) fn fit(&mut self, way: Option<Automerge>) {
        let fitted = self.wanted().and_then(|wanted| {
            let ring = Rc::new(self.asked.fitted(&wanted.ring, way)?);
            Some(Rc::new(Wanted { ring, ..(**wanted).clone() }))
        });
        self.answer = fitted.map(Ok).or(self.answer.take());
    }

    /// Returns a kept ring with the keys that the way of merging asks for. It does not have the operator's own any more: the latest
    /// answer does.
    pub(super) fn in_way(&self, kept: &Ring, way: Option<Automerge>) -> Ring {
        let own = if self.wanted().is_some() { self.asked.clone() } else { Asked::of(kept) };
        own.fitted(kept, way).unwrap_or_else(|| kept.clone())
    }

    /// Counts the nodes that the installed file or the latest answer has.
    pub(super) fn count_nodes(&mut self, installed: Option<&Ring>) {
        let known = [installed, self.wanted().map(|wanted| &*wanted.ring)];
        self.nodes = known.into_iter().flatten().map(Ring::len).max().unwrap_or(self.nodes);
    }

    /// Returns the time between two polls of one node.
    pub(super) fn interval(&self, poll: &Poll) -> Duration {
        poll.interval(self.nodes, self.cost.unwrap_or_default())
    }

    /// Takes in whether an answer was good, and how long it took.
    fn answered(&mut self, doubt: Option<&Doubt>, took: Option<Duration>) {
        self.doubt = doubt.cloned();
        match (doubt, took) {
            (None, Some(took)) => {
                self.doubts = 0;
                self.cost = Some(pace::smoothed(self.cost, took));
            }
            _ => self.doubts += 1,
        }
    }

    /// Returns the wait before the next poll. `failures` counts passes that failed on this host.
    fn until_next_question(&self, poll: &Poll, failures: u32, random: f64) -> Duration {
        let wait = poll.jittered(self.interval(poll), random);
        match self.doubts {
            0 if failures > 0 => poll.after_doubt(failures, random).max(wait),
            0 => wait,
            // A lost packet is asked for again at once; after that, what all nodes together ask of a sick K2HR3 must
            // not be more than of a well one, or it never gets well.
            1 | 2 => poll.after_doubt(self.doubts, random),
            doubts => poll.after_doubt(doubts, random).max(wait),
        }
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Remembers an answer, and returns the identity that asked, the doubt where there is one, and the answer time.
    pub(super) fn take(
        &mut self,
        answered: Answered,
    ) -> (Result<Identity, Vec<Problem>>, Option<Doubt>, Option<Duration>) {
        let Answered { identity, result, took, note } = answered;
        let doubt = match result {
            // The remark outlives a doubt.
            Err(doubt) => Some(doubt),
            Ok(answer) => {
                self.membership.remark = note;
                if let (Ok(identity), true) = (&identity, answer != Answer::Unchanged) {
                    let understood = self.understood(answer, identity);
                    self.membership.understand(understood);
                }
                None
            }
        };
        self.membership.answered(doubt.as_ref(), took);
        (identity, doubt, took)
    }

    fn understood(&mut self, answer: Answer, identity: &Identity) -> Result<Wanted, Vec<Problem>> {
        let installed = self.files.look.at(&self.settings.ini.path, self.clock.now().wall).ok();
        let installed =
            installed.and_then(|installed| installed.ring().cloned()).or_else(|| self.newest_kept());
        let reader =
            Reader { cuk: &identity.cuk, roles: self.roles(identity), installed: installed.as_deref() };
        match answer {
            Answer::Ini(text) => membership::from_ini(&text, &reader, &self.settings.ini.extra_sections),
            Answer::Members { servers, slaves } => {
                let (template, mode) = self.template(identity)?;
                membership::from_members(&servers, &slaves, &template, mode, &reader)
            }
            Answer::Unchanged => {
                Err(vec![Problem::refused(None, "the source says \"unchanged\" to a first question")])
            }
        }
    }

    /// Returns the members of the last readable answer whose records are of no use.
    pub fn left_out(&self) -> Vec<Note> {
        self.membership.wanted().map_or_else(Vec::new, |wanted| wanted.left_out.clone())
    }

    fn roles(&self, identity: &Identity) -> Roles {
        let registry = identity.k2hr3.as_ref();
        let text = |role: Option<Yrn>| role.map(|role| role.to_string()).unwrap_or_default();
        Roles {
            server: text(registry.and_then(|registry| registry.server_role(&self.settings.k2hr3))),
            slave: text(registry.and_then(|registry| registry.slave_role(&self.settings.k2hr3))),
        }
    }

    /// The local half of the membership source; GROUP and MODE follow from the role.
    fn template(&self, identity: &Identity) -> Result<(Template, Mode), Vec<Problem>> {
        let lacking = |text: &str| vec![Problem::refused(None, text)];
        let registry = identity.k2hr3.as_ref().ok_or_else(|| lacking("no role is known"))?;
        let mode = registry.mode(&self.settings.k2hr3).ok_or_else(|| {
            lacking("this node's role is neither the server nor the slave role: set k2hr3.server-role and slave-role")
        })?;
        let profile = &self.settings.profile;
        let cluster =
            registry.role.path().rsplit_once('/').map_or(registry.role.path(), |(parent, _)| parent);
        let template = Template {
            global: profile.global.clone(),
            k2hdkc: profile.k2hdkc.clone(),
            group: profile.group.clone().unwrap_or_else(|| cluster.to_owned()),
            naming: profile.naming,
            peers: profile.peers,
            server_port: profile.server_port,
            server_ctlport: profile.server_ctlport,
            slave_ctlport: profile.slave_ctlport,
        };
        Ok((template, mode))
    }

    /// Returns the wait before the next poll of the source.
    pub fn until_next_question(&self, random: f64) -> Duration {
        self.membership.until_next_question(&self.settings.poll, self.files.host.attempts(), random)
    }
}
