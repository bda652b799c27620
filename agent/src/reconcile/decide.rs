//! From what a pass has found to what it does: doubt, refusal, equality, hold, rest, installation. Looks at files,
//! changes none.

use std::rc::Rc;

use tokio::time::Instant;

use super::files::Settling;
use super::{Cause, Decided, FileDecision, Inputs, Installation, Reconciler};
use crate::acceptance;
use crate::answer::{Doubt, DoubtKind};
use crate::guard::{self, Case, Judgement, Verdict};
use crate::identity;
use crate::installed::{self, Installed};
use crate::lifecycle::{Database, Rejected};
use crate::machine;
use crate::membership::Wanted;
use crate::plan;
use crate::problem::{Problem, one_line};
use crate::render::{self, Rendered, Stamp};
use crate::replicas;
use crate::report::Outcome;
use crate::ring::{Mode, Ring};
use crate::supervisor::Supervisor;
use crate::validate::{self, FILEVERSION_MOST, Facts, Validated};

impl<T: Supervisor> Reconciler<T> {
    /// From what is known to what is done: doubt, refusal, equality, hold, rest, installation.
    pub(super) fn judged(&mut self, inputs: &Inputs, fresh: bool) -> FileDecision {
        if let Some(doubt) = &inputs.doubt {
            return self.restored_or(inputs, Outcome::Doubtful(doubt.clone()));
        }
        let decision = self.answered(inputs, fresh);
        let unchanged = matches!(decision.verdict, Decided::Leave(Outcome::Unchanged));
        match &self.membership.doubt {
            // A pass that asked nobody may repair the file from the last answer, but it ends no doubt.
            Some(doubt) if unchanged => FileDecision::leave(Outcome::Doubtful(doubt.clone())),
            Some(_) => decision,
            None => {
                self.files.restored = None;
                decision
            }
        }
    }

    /// The same by the last answer that could be read.
    fn answered(&mut self, inputs: &Inputs, fresh: bool) -> FileDecision {
        let wanted = match self.membership.answer.clone() {
            None => {
                return match self.membership.doubt.clone() {
                    Some(doubt) => self.restored_or(inputs, Outcome::Doubtful(doubt)),
                    // The first answer is still to come, and may be a good one.
                    None => FileDecision::leave(Outcome::Doubtful(not_asked_yet())),
                };
            }
            Some(Err(problems)) => return self.restored_or(inputs, Outcome::Refused(problems)),
            Some(Ok(wanted)) => wanted,
        };
        if let Some(ring) = inputs.installed.ring().filter(|ring| **ring == wanted.ring) {
            self.files.settling = None;
            if !Rc::ptr_eq(ring, &wanted.ring) {
                self.membership.answer =
                    Some(Ok(Rc::new(Wanted { ring: Rc::clone(ring), ..(*wanted).clone() })));
            }
            let now = self.clock.now().boot;
            let rested = self.store.ledger().guard.at_rest(&self.settings.guard, now);
            let guard = Some(rested);
            let names = self.names(inputs, &wanted);
            return FileDecision { guard, names, ..FileDecision::leave(Outcome::Unchanged) };
        }
        let judgement = self.guarded(inputs, &wanted, fresh);
        match judgement.verdict {
            Verdict::Hold => {
                let held = judgement.memory.held.clone();
                let outcome = held.map_or(Outcome::Unchanged, Outcome::Held);
                let decision = self.restored_or(inputs, outcome);
                // What is held is to be seen before somebody confirms it.
                let installed = inputs.installed.ring().map(|ring| &**ring);
                let plan = decision.plan.or_else(|| Some(plan::plan(installed, &wanted.ring)));
                FileDecision { plan, guard: Some(judgement.memory), waiting: judgement.waiting, ..decision }
            }
            Verdict::Believe(ring) => {
                // Those whose removal is not believed yet are servers of the file, too.
                let ring = Rc::new(replicas::fitted(ring, wanted.too_many_replicas));
                let wanted = Wanted { ring, addresses: wanted.addresses.clone(), ..Wanted::default() };
                let decision = self.believed(inputs, &wanted);
                FileDecision { guard: Some(judgement.memory), waiting: judgement.waiting, ..decision }
            }
        }
    }

    /// The guard compares with the installed file; where that is gone, with the newest kept one.
    fn guarded(&self, inputs: &Inputs, wanted: &Wanted, fresh: bool) -> Judgement {
        let kept = if inputs.installed.ring().is_none() { self.newest_kept() } else { None };
        let installed = inputs.installed.ring().or(kept.as_ref()).map(|ring| &**ring);
        let up = inputs.up();
        let up = up.as_ref();
        let left = self.ring_change().and_then(|_| inputs.left());
        let (left, now) = (left.as_ref(), self.clock.now().boot);
        let too_long = self.too_long();
        let case = Case { installed, answer: &wanted.ring, up, left, too_long, now, fresh };
        guard::judge(case, &self.store.ledger().guard, &self.settings.guard)
    }

    pub(super) fn newest_kept(&self) -> Option<Rc<Ring>> {
        let files = self.store.good_files();
        files.iter().find_map(|(_, path)| installed::read_bytes(&std::fs::read(path).ok()?).ring().cloned())
    }

    /// A believed ring is installed once it has rested, if this node may have it.
    fn believed(&mut self, inputs: &Inputs, wanted: &Wanted) -> FileDecision {
        if inputs.installed.ring() == Some(&wanted.ring) {
            self.files.settling = None;
            return FileDecision::leave(Outcome::Unchanged);
        }
        let plan = plan::plan(inputs.installed.ring().map(|ring| &**ring), &wanted.ring);
        if let Some(rejected) = self.rejected(&wanted.ring) {
            self.files.settling = None;
            return FileDecision {
                plan: Some(plan),
                ..self.restored_or(inputs, Outcome::Rejected(rejected))
            };
        }
        let validated = match self.validated(inputs, (*wanted.ring).clone()) {
            Ok(validated) => validated,
            Err(problems) => {
                let decision = self.restored_or(inputs, Outcome::Refused(problems));
                return FileDecision { plan: Some(plan), ..decision };
            }
        };
        if self.must_rest(inputs, &wanted.ring) {
            return FileDecision { plan: Some(plan), ..FileDecision::leave(Outcome::Settling) };
        }
        let names = self.names(inputs, wanted);
        let installation = Installation { validated, plan: plan.clone(), names, cause: Cause::Answer };
        let verdict = Decided::Install(Box::new(installation));
        FileDecision { verdict, plan: Some(plan), ..FileDecision::leave(Outcome::Unchanged) }
    }

    /// Returns true while more changes may come. A first file and a missing one do not wait.
    fn must_rest(&mut self, inputs: &Inputs, ring: &Ring) -> bool {
        // What could not be written has rested already.
        if !self.daemon || inputs.installed.ring().is_none() {
            return false;
        }
        let is_held = self.ring_changes() || inputs.goes_over_in_change(ring);
        if self.files.host.attempts() > 0 {
            return is_held;
        }
        let now = Instant::now();
        let (first, last) = match self.files.settling.take() {
            Some(old) if old.ring == *ring => (old.first, old.last),
            Some(old) => (old.first, now),
            None => (now, now),
        };
        let settling = Settling { ring: ring.clone(), first, last, is_held };
        let waits = now < settling.due(self.settings.poll.settling()) || is_held;
        self.files.settling = waits.then_some(settling);
        waits
    }

    /// The ring that ended chmpx is not tried again until the answer changes.
    fn rejected(&self, ring: &Ring) -> Option<Rejected> {
        let rejected = self.store.ledger().processes.rejected.as_ref()?;
        (rejected.ring == render::name(ring)).then(|| rejected.clone())
    }

    pub(super) fn validated(&self, inputs: &Inputs, ring: Ring) -> Result<Validated, Vec<Problem>> {
        let fileversion = self.next_fileversion(&inputs.installed);
        let stamp = Stamp { fileversion, date: self.clock.now().wall.rfc2822() };
        // Also a kept file, or one that another hand wrote, is put back with no more copies than it has servers for.
        let rendered = render::render(replicas::fitted(ring, None), stamp)?;
        let facts = self.facts(inputs, &rendered);
        validate::validate(rendered, &facts)
    }

    /// Another one than every file has that chmpx may have seen. After the largest comes 1: chmpx tests for a
    /// difference only.
    fn next_fileversion(&self, installed: &Installed) -> u32 {
        let ledger = self.store.ledger().fileversion;
        // A ledger that was lost knows less than the kept files do.
        let kept =
            if ledger == 0 { self.store.good_files().first().map_or(0, |(version, _)| *version) } else { 0 };
        let used = ledger.max(kept).max(installed.fileversion().unwrap_or(0));
        if used < FILEVERSION_MOST { used + 1 } else { 1 }
    }

    fn facts(&self, inputs: &Inputs, rendered: &Rendered) -> Facts {
        Facts {
            host: self.host(&rendered.ring),
            cuk: inputs.identity.as_ref().ok().map(|identity| identity.cuk.clone()),
            installed: inputs.installed.ring().map(Rc::clone),
            running_maxchmpx: inputs.capacity(),
            up: inputs.up(),
            restarts: self.restarts(inputs, &rendered.ring),
        }
    }

    /// Returns the facts of this host for the file. In a container other files are to be found under the same paths; and
    /// a directory for the keys that is missing may be made before k2hdkc starts.
    fn host(&self, ring: &Ring) -> acceptance::Host {
        let mut host = machine::host(acceptance::paths(ring));
        if ["process", "systemd"].contains(&self.supervisor.name()) {
            let places = machine::host(acceptance::database_paths(ring)).files.unwrap_or_default();
            let there = places.into_iter().filter(|(_, kind)| *kind != acceptance::FileKind::Missing);
            host.files.get_or_insert_default().extend(there);
        }
        host
    }

    /// Returns true where the running programs are restarted as soon as this file asks for it: that is allowed, and k2hdkc
    /// has its keys in a file, the same one as before.
    fn restarts(&self, inputs: &Inputs, ring: &Ring) -> bool {
        let mode = ring.mode().unwrap_or(Mode::Slave);
        let keys = Database::of(ring);
        let same = inputs.installed.ring().is_some_and(|installed| Database::of(installed) == keys);
        let keeps = mode == Mode::Slave || (same && keys != Database::Volatile);
        keeps && !self.settings.supervisor.restarts.forbids(mode)
    }

    /// Restores a file where the live one is missing or unloadable and no answer helps: the newest kept file that this
    /// node may have is put back; everywhere else the outcome stands.
    fn restored_or(&mut self, inputs: &Inputs, outcome: Outcome) -> FileDecision {
        // A change that rests was in a good answer; a doubtful one after it takes nothing back.
        if !matches!(outcome, Outcome::Doubtful(_)) {
            self.files.settling = None;
        }
        let why = match &*inputs.installed {
            Installed::Present { .. } => return FileDecision::leave(outcome),
            Installed::Missing => "the live file is missing",
            Installed::Broken(_) => "chmpx would refuse the live file",
        };
        for (_, path) in self.store.good_files() {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let Some(ring) = installed::read_bytes(&bytes).ring().cloned() else { continue };
            let ring = self.in_present_way(inputs, &ring);
            let Ok(validated) = self.validated(inputs, (*ring).clone()) else { continue };
            let plan = plan::plan(None, &validated.rendered().ring);
            let cause = Cause::Lost(format!("{why}; {outcome}"));
            let installation = Installation {
                validated,
                plan: plan.clone(),
                names: self.names_of_kept(inputs, &ring),
                cause,
            };
            let verdict = Decided::Install(Box::new(installation));
            return FileDecision { verdict, plan: Some(plan), ..FileDecision::leave(outcome) };
        }
        FileDecision::leave(outcome)
    }

    pub(super) fn notes(&self, inputs: &Inputs) -> Vec<String> {
        let mut notes = self.settings.notes.clone();
        if let Ok(identity) = &inputs.identity {
            notes.extend(identity.k2hr3.as_ref().and_then(|registry| registry.token_note.clone()));
            notes.extend(identity::note(&self.settings.k2hr3));
        }
        notes.extend(self.membership.remark.clone());
        if let Installed::Broken(problems) = &*inputs.installed {
            notes.push(format!("chmpx would refuse the live file: {}", one_line(problems)));
        }
        notes.extend(self.files.restored.as_ref().map(|why| format!("a kept file is in place, {why}")));
        if let Some(Ok(wanted)) = &self.membership.answer {
            notes.extend(wanted.notes.iter().map(ToString::to_string));
        }
        notes
    }
}

impl<T: Supervisor> Reconciler<T> {
    /// Returns a note where the file stays another than the last readable answer says, and no change is under way.
    pub(super) fn differs(&self, inputs: &Inputs, verdict: &Decided) -> Option<String> {
        let Decided::Leave(outcome) = verdict else { return None };
        let stays = !matches!(outcome, Outcome::Settling | Outcome::Failed(_));
        let answer = self.membership.answer.as_ref()?.as_ref().ok().filter(|_| stays)?;
        plan::differs(inputs.installed.ring()?, &answer.ring)
    }
}

fn not_asked_yet() -> Doubt {
    Doubt::new(DoubtKind::NotReady, "K2HR3 has not answered since the agent started")
}
