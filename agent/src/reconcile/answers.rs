//! What the source says, kept until it says something else: the last readable answer, the doubts since, and how long to
//! wait before it is asked again. Looks at no file, changes none.

use std::rc::Rc;
use std::time::Duration;

use super::Reconciler;
use crate::answer::{Answer, Doubt, DoubtKind};
use crate::identity::Identity;
use crate::membership::{self, Reader, Roles, Template, Wanted};
use crate::names::Yrn;
use crate::pace;
use crate::problem::{Problem, one_line};
use crate::ring::Mode;
use crate::source::Answered;
use crate::supervisor::Supervisor;

/// Who asked, why there is no answer, and how long it took.
type Taken = (Result<Identity, Vec<Problem>>, Option<Doubt>, Option<Duration>);

impl<T: Supervisor> Reconciler<T> {
    /// Remembers what a question has brought: who asked, the doubt, where there is one, and how long it took.
    pub(super) fn take(&mut self, answered: Answered) -> Taken {
        let Answered { identity, asked } = answered;
        let (doubt, took) = match (&identity, asked) {
            (Ok(identity), Some(asked)) => {
                // A doubt says nothing of it, and ends nothing.
                if asked.result.is_ok() {
                    self.remark.clone_from(&asked.note);
                }
                (self.remember(asked.result, identity), Some(asked.took))
            }
            (Err(problems), _) => (Some(Doubt::new(DoubtKind::NotReady, one_line(problems))), None),
            (Ok(_), None) => (None, None),
        };
        self.doubt.clone_from(&doubt);
        match (&doubt, took) {
            (None, Some(took)) => {
                self.doubts = 0;
                self.cost = Some(pace::smoothed(self.cost, took));
            }
            _ => self.doubts += 1,
        }
        (identity, doubt, took)
    }

    /// Keeps what an answer says; the doubt, where there is none.
    fn remember(&mut self, result: Result<Answer, Doubt>, identity: &Identity) -> Option<Doubt> {
        match result {
            Err(doubt) => return Some(doubt),
            Ok(Answer::Unchanged) => {}
            Ok(answer) => self.answer = Some(self.understood(answer, identity).map(Rc::new)),
        }
        None
    }

    fn understood(&mut self, answer: Answer, identity: &Identity) -> Result<Wanted, Vec<Problem>> {
        let installed = self.look.at(&self.settings.ini.path, self.clock.now().wall).ok();
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

    /// Whose records the last readable answer has and nobody can use.
    pub fn left_out(&self) -> Vec<String> {
        self.answer
            .as_ref()
            .and_then(|answer| answer.as_ref().ok())
            .map_or_else(Vec::new, |wanted| wanted.left_out.clone())
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

    /// How long to wait before the source is asked again.
    pub fn until_next_question(&self, random: f64) -> Duration {
        let pace = &self.settings.poll;
        let interval = pace.interval(self.nodes, self.cost.unwrap_or_default());
        let wait = pace.jittered(interval, random);
        match self.doubts {
            0 if self.failures > 0 => pace.after_doubt(self.failures, random).max(wait),
            0 => wait,
            // A lost packet is asked for again at once; after that, what all nodes together ask of a sick K2HR3 must
            // not be more than of a well one, or it never gets well.
            1 | 2 => pace.after_doubt(self.doubts, random),
            doubts => pace.after_doubt(doubts, random).max(wait),
        }
    }
}
