//! The pass: ask, read, judge, render, validate, plan, apply, report. Read this file first.
//!
//! The only owner and writer of the agent's state, and the only caller of the stages, in this order:
//!
//! ```text
//! wake -> source -> membership -> guard -> render -> validate -> plan -> apply -> report
//! ```
//!
//! [`Reconciler::decide`] looks and changes nothing, so that `render` and `diff` show exactly what `once` and `run`
//! would do. A pass cannot fail: whatever happens in it is in the [`Report`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::acceptance;
use crate::apply::{self, full};
use crate::backoff;
use crate::clock::Timestamp;
use crate::guard::{self, Case, Judgement, Verdict};
use crate::hosts;
use crate::identity::{self, Identity};
use crate::ini;
use crate::installed::{self, Installed, Look};
use crate::ledger::Store;
use crate::machine;
use crate::membership::{self, Template, Wanted};
use crate::plan::{self, Class, Plan};
use crate::problem::{Problem, one_line};
use crate::render::{self, Rendered, Stamp};
use crate::report::{Outcome, Report};
use crate::ring::Ring;
use crate::settings::Settings;
use crate::source::{Answer, Doubt, DoubtKind, Source};
use crate::target::{Observed, Target};
use crate::validate::{self, FILEVERSION_MOST, Facts, Validated};
use crate::wake::Reasons;

/// The owner of the state.
#[derive(Debug)]
pub struct Reconciler<S, T> {
    settings: Settings,
    source: S,
    target: T,
    store: Store,
    look: Look,
    /// What the last readable answer says, or why it says nothing.
    answer: Option<Result<Rc<Wanted>, Vec<Problem>>>,
    /// Doubtful answers in a row.
    doubts: u32,
    /// Smoothed answer time.
    cost: Option<Duration>,
    settling: Option<Settling>,
    /// Whether changes rest before they are installed: not in `once`.
    patient: bool,
}

/// A change that rests.
#[derive(Debug, Clone, PartialEq)]
struct Settling {
    ring: Ring,
    first: Instant,
    last: Instant,
}

/// What a pass found, before anything is changed.
#[derive(Debug)]
pub struct Decision {
    /// What to do.
    pub verdict: Decided,
    /// What differs.
    pub plan: Option<Plan>,
    /// Removals that are not believed yet.
    pub waiting: Vec<guard::Absence>,
    /// What an operator should know.
    pub notes: Vec<String>,
    asked: Option<Duration>,
    guard: Option<guard::Memory>,
    /// What the hosts block must say although nothing is installed.
    names: Option<BTreeMap<IpAddr, String>>,
}

/// What to do with a pass.
#[derive(Debug)]
pub enum Decided {
    /// Nothing; the outcome says why.
    Leave(Outcome),
    /// Install this.
    Install(Box<Installation>),
}

/// A file to install.
#[derive(Debug)]
pub struct Installation {
    /// The file.
    pub validated: Validated,
    class: Class,
    names: BTreeMap<IpAddr, String>,
    /// Why a kept generation is put back, if it is one.
    restored: Option<String>,
}

/// Everything that one decision starts from.
struct Scene {
    identity: Result<Identity, Vec<Problem>>,
    installed: Rc<Installed>,
    observed: Observed,
    doubt: Option<Doubt>,
    asked: Option<Duration>,
}

impl<S: Source, T: Target> Reconciler<S, T> {
    /// A reconciler that has seen nothing yet.
    pub fn new(settings: Settings, source: S, target: T, store: Store, patient: bool) -> Self {
        Self {
            settings,
            source,
            target,
            store,
            look: Look::default(),
            answer: None,
            doubts: 0,
            cost: None,
            settling: None,
            patient,
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes new settings and a source made of them; what was learnt stays.
    pub fn replace_settings(&mut self, settings: Settings, source: S) {
        self.settings = settings;
        self.source = source;
        self.answer = None;
    }

    /// What the agent remembers.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The name of the target.
    pub fn target_name(&self) -> &'static str {
        self.target.name()
    }

    /// Marks the held loss as meant. The next pass installs it, if it is still the same.
    pub fn confirm(&mut self, id: Option<&str>) -> Result<String, String> {
        confirm(&mut self.store, id)
    }

    /// One pass.
    pub async fn pass(&mut self, reasons: Reasons) -> Report {
        let decision = self.decide(reasons).await;
        self.carry_out(decision, reasons).await
    }

    /// Looks at everything and decides. Changes nothing on the host; asks the source if the reasons say so.
    pub async fn decide(&mut self, reasons: Reasons) -> Decision {
        let identity = identity::read(&self.settings.k2hr3);
        let (doubt, asked) = if reasons.ask() { self.ask(&identity).await } else { (None, None) };
        let observed = self.target.observe().await;
        let installed = match self.look.at(&self.settings.ini.path) {
            Ok(installed) => installed,
            Err(error) => return Decision::leave(Outcome::Failed(full(&error)), asked),
        };
        let scene = Scene { identity, installed, observed, doubt, asked };
        let fresh = reasons.ask() && scene.doubt.is_none();
        let mut decision = self.judged(&scene, fresh);
        decision.notes.extend(self.notes(&scene));
        decision
    }

    /// Asks the source and remembers its answer. Returns the doubt, where there is one.
    async fn ask(&mut self, identity: &Result<Identity, Vec<Problem>>) -> (Option<Doubt>, Option<Duration>) {
        let identity = match identity {
            Ok(identity) => identity,
            Err(problems) => {
                self.doubts += 1;
                return (Some(Doubt::new(DoubtKind::NotReady, one_line(problems))), None);
            }
        };
        let asked = self.source.ask(identity).await;
        let doubt = match asked.result {
            Err(doubt) => Some(doubt),
            Ok(Answer::Unchanged) => None,
            Ok(answer) => {
                self.answer = Some(self.understood(answer, identity).map(Rc::new));
                None
            }
        };
        match doubt {
            Some(_) => self.doubts += 1,
            None => {
                self.doubts = 0;
                self.cost = Some(backoff::smoothed(self.cost, asked.took));
            }
        }
        (doubt, Some(asked.took))
    }

    fn understood(&self, answer: Answer, identity: &Identity) -> Result<Wanted, Vec<Problem>> {
        match answer {
            Answer::Ini(text) => {
                membership::from_ini(&text, &identity.cuk, &self.settings.ini.extra_sections)
            }
            Answer::Members { servers, slaves } => {
                let (template, mode) = self.template(identity)?;
                membership::from_members(&servers, &slaves, &template, mode, &identity.cuk)
            }
            Answer::Unchanged => {
                Err(vec![Problem::refused(None, "the source says \"unchanged\" to a first question")])
            }
        }
    }

    /// The local half of the membership source; GROUP and MODE follow from the role.
    fn template(&self, identity: &Identity) -> Result<(Template, crate::ring::Mode), Vec<Problem>> {
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

    /// From what is known to what is done: doubt, refusal, equality, hold, rest, installation.
    fn judged(&mut self, scene: &Scene, fresh: bool) -> Decision {
        if let Some(doubt) = &scene.doubt {
            return self.restored_or(scene, Outcome::Doubtful(doubt.clone()));
        }
        let wanted = match self.answer.clone() {
            None => return self.restored_or(scene, Outcome::Doubtful(not_asked_yet())),
            Some(Err(problems)) => return self.restored_or(scene, Outcome::Refused(problems)),
            Some(Ok(wanted)) => wanted,
        };
        if scene.installed.ring() == Some(&wanted.ring) {
            self.settling = None;
            let guard = Some(guard::Memory::default());
            let names = self.settings.hosts.is_some().then(|| hosts::entries(&wanted));
            return Decision { guard, names, ..Decision::leave(Outcome::Unchanged, scene.asked) };
        }
        let judgement = self.guarded(scene, &wanted, fresh);
        match judgement.verdict {
            Verdict::Hold => {
                let held = judgement.memory.held.clone();
                let outcome = held.map_or(Outcome::Unchanged, Outcome::Held);
                let decision = self.restored_or(scene, outcome);
                Decision { guard: Some(judgement.memory), waiting: judgement.waiting, ..decision }
            }
            Verdict::Believe(ring) => {
                let wanted = Wanted { ring, addresses: wanted.addresses.clone(), notes: Vec::new() };
                let decision = self.believed(scene, &wanted);
                Decision { guard: Some(judgement.memory), waiting: judgement.waiting, ..decision }
            }
        }
    }

    /// The guard compares with the installed file; where that is gone, with the newest kept one.
    fn guarded(&self, scene: &Scene, wanted: &Wanted, fresh: bool) -> Judgement {
        let kept = if scene.installed.ring().is_none() { self.newest_kept() } else { None };
        let installed = scene.installed.ring().or(kept.as_ref());
        let up = scene.observed.up.as_ref();
        let case = Case { installed, answer: &wanted.ring, up, now: Timestamp::now(), fresh };
        guard::judge(case, &self.store.ledger().guard, &self.settings.guard)
    }

    fn newest_kept(&self) -> Option<Ring> {
        let files = self.store.good_files();
        files.iter().find_map(|(_, path)| installed::read_bytes(&std::fs::read(path).ok()?).ring().cloned())
    }

    /// A believed ring is installed once it has rested, if this node may have it.
    fn believed(&mut self, scene: &Scene, wanted: &Wanted) -> Decision {
        if scene.installed.ring() == Some(&wanted.ring) {
            self.settling = None;
            return Decision::leave(Outcome::Unchanged, scene.asked);
        }
        let plan = plan::plan(scene.installed.ring(), &wanted.ring);
        let validated = match self.validated(scene, wanted.ring.clone()) {
            Ok(validated) => validated,
            Err(problems) => {
                let decision = self.restored_or(scene, Outcome::Refused(problems));
                return Decision { plan: Some(plan), ..decision };
            }
        };
        if self.must_rest(scene, &wanted.ring) {
            return Decision { plan: Some(plan), ..Decision::leave(Outcome::Settling, scene.asked) };
        }
        let names = hosts::entries(wanted);
        let installation = Installation { validated, class: plan.class, names, restored: None };
        let verdict = Decided::Install(Box::new(installation));
        Decision { verdict, plan: Some(plan), ..Decision::leave(Outcome::Unchanged, scene.asked) }
    }

    /// Whether more changes may come within the moment. A first file and a missing one do not wait.
    fn must_rest(&mut self, scene: &Scene, ring: &Ring) -> bool {
        if !self.patient || scene.installed.ring().is_none() {
            return false;
        }
        let now = Instant::now();
        let settling = match self.settling.take() {
            Some(old) if old.ring == *ring => old,
            Some(old) => Settling { ring: ring.clone(), first: old.first, last: now },
            None => Settling { ring: ring.clone(), first: now, last: now },
        };
        let (rest, most) = self.settings.settle;
        let ready = (settling.last + rest).min(settling.first + most);
        let waits = now < ready;
        self.settling = waits.then_some(settling);
        waits
    }

    fn validated(&self, scene: &Scene, ring: Ring) -> Result<Validated, Vec<Problem>> {
        let fileversion = self.next_fileversion(&scene.installed)?;
        let stamp = Stamp { fileversion, date: Timestamp::now().rfc2822() };
        let rendered = render::render(ring, stamp)?;
        let facts = self.facts(scene, &rendered);
        validate::validate(rendered, &facts)
    }

    fn next_fileversion(&self, installed: &Installed) -> Result<u32, Vec<Problem>> {
        let used = self.store.ledger().fileversion.max(installed.fileversion().unwrap_or(0));
        let next = used.checked_add(1).filter(|next| *next <= FILEVERSION_MOST);
        next.ok_or_else(|| {
            vec![Problem::refused(None, "FILEVERSION is used up (2147483647): start it anew by hand")]
        })
    }

    fn facts(&self, scene: &Scene, rendered: &Rendered) -> Facts {
        let paths = std::str::from_utf8(&rendered.bytes).map(|text| acceptance::paths(&ini::parse(text)));
        Facts {
            host: machine::host(paths.unwrap_or_default()),
            cuk: scene.identity.as_ref().ok().map(|identity| identity.cuk.clone()),
            installed: scene.installed.ring().cloned(),
            running_maxchmpx: scene.observed.running_maxchmpx,
            up: scene.observed.up.clone(),
        }
    }

    /// Where the live file is missing or unloadable and the answer is of no use, the newest kept file that this
    /// node may have is put back; everywhere else the outcome stands.
    fn restored_or(&mut self, scene: &Scene, outcome: Outcome) -> Decision {
        self.settling = None;
        let why = match &*scene.installed {
            Installed::Present { .. } => return Decision::leave(outcome, scene.asked),
            Installed::Missing => "the live file is missing",
            Installed::Broken(_) => "chmpx would refuse the live file",
        };
        for (_, path) in self.store.good_files() {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let Some(ring) = installed::read_bytes(&bytes).ring().cloned() else { continue };
            let Ok(validated) = self.validated(scene, ring) else { continue };
            let plan = plan::plan(None, &validated.rendered().ring);
            let wanted = Wanted { ring: validated.rendered().ring.clone(), ..Wanted::default() };
            let restored = Some(format!("{why}; {}", outcome.line()));
            let names = hosts::entries(&wanted);
            let installation = Installation { validated, class: plan.class, names, restored };
            let verdict = Decided::Install(Box::new(installation));
            return Decision { verdict, plan: Some(plan), ..Decision::leave(outcome, scene.asked) };
        }
        Decision::leave(outcome, scene.asked)
    }

    fn notes(&self, scene: &Scene) -> Vec<String> {
        let mut notes = Vec::new();
        if let Ok(identity) = &scene.identity {
            notes.extend(identity.k2hr3.as_ref().and_then(|registry| registry.token_note.clone()));
        }
        if let Installed::Broken(problems) = &*scene.installed {
            notes.push(format!("chmpx would refuse the live file: {}", one_line(problems)));
        }
        if let Some(Ok(wanted)) = &self.answer {
            notes.extend(wanted.notes.iter().map(ToString::to_string));
        }
        notes
    }

    async fn carry_out(&mut self, decision: Decision, reasons: Reasons) -> Report {
        let Decision { verdict, plan, waiting, mut notes, asked, guard, names } = decision;
        if let Some(memory) = guard {
            if let Err(error) = self.store.update(|ledger| ledger.guard = memory) {
                warn!(error = full(&error), "the guard's memory is not kept");
            }
        }
        let outcome = match verdict {
            Decided::Leave(Outcome::Unchanged) => self.adopt(names.as_ref(), &mut notes),
            Decided::Leave(outcome) => outcome,
            Decided::Install(installation) => self.install(*installation, &mut notes).await,
        };
        Report { at: Timestamp::now(), reasons: reasons.to_string(), asked, outcome, plan, waiting, notes }
    }

    async fn install(&mut self, installation: Installation, notes: &mut Vec<String>) -> Outcome {
        let Installation { validated, class, names, restored } = installation;
        let (settings, store) = (&self.settings, &mut self.store);
        match apply::install(&validated, class, &names, settings, store, &mut self.target).await {
            Ok(applied) => {
                self.settling = None;
                notes.extend(applied.notes);
                match restored {
                    Some(why) => Outcome::Restored(applied.generation, why),
                    None => Outcome::Installed(applied.generation),
                }
            }
            Err(error) => Outcome::Failed(full(&error)),
        }
    }

    /// The file is right: the ledger and the hosts block must say so too, also after a kill in between, and for
    /// a right file that somebody else wrote.
    fn adopt(&mut self, names: Option<&BTreeMap<IpAddr, String>>, notes: &mut Vec<String>) -> Outcome {
        let path = self.settings.ini.path.clone();
        notes.extend(names.and_then(|names| apply::update_hosts(self.settings.hosts.as_deref(), names)));
        let adopted = self.look.at(&path).map_err(|error| full(&error)).and_then(|installed| {
            apply::adopt(&installed, &path, &mut self.store).map_err(|error| full(&error))
        });
        notes.extend(adopted.err().map(|error| format!("the ledger is not up to date: {error}")));
        Outcome::Unchanged
    }

    /// How long to wait before the source is asked again.
    pub fn until_next_question(&self, random: f64) -> Duration {
        let pace = &self.settings.pace;
        if self.doubts > 0 {
            return pace.after_doubt(self.doubts, random);
        }
        let nodes = match &self.answer {
            Some(Ok(wanted)) => wanted.ring.len(),
            _ => 1,
        };
        pace.jittered(pace.interval(nodes, self.cost.unwrap_or_default()), random)
    }

    /// When a resting change is due.
    pub fn settled_at(&self) -> Option<Instant> {
        let settling = self.settling.as_ref()?;
        let (rest, most) = self.settings.settle;
        Some((settling.last + rest).min(settling.first + most))
    }
}

impl Decision {
    fn leave(outcome: Outcome, asked: Option<Duration>) -> Self {
        let verdict = Decided::Leave(outcome);
        Self { verdict, plan: None, waiting: Vec::new(), notes: Vec::new(), asked, guard: None, names: None }
    }
}

fn not_asked_yet() -> Doubt {
    Doubt::new(DoubtKind::NotReady, "K2HR3 has not answered since the agent started")
}

/// Marks the held loss as meant: all of it, or only if it is the one that `id` names.
pub fn confirm(store: &mut Store, id: Option<&str>) -> Result<String, String> {
    let Some(held) = store.ledger().guard.held.clone() else {
        return Err("nothing is held, so there is nothing to confirm".to_owned());
    };
    if id.is_some_and(|id| id != held.id) {
        return Err(format!("what is held now is {}: {}", held.id, held.reasons.join("; ")));
    }
    if !held.releasable {
        let text = "chmpx would end on such a file, so no confirmation can release it";
        return Err(format!("{}: {text}", held.reasons.join("; ")));
    }
    store.update(|ledger| ledger.guard.confirmed = Some(held.id.clone())).map_err(|error| full(&error))?;
    Ok(format!("confirmed {}: {}", held.id, held.reasons.join("; ")))
}
