//! The files that the course of the processes asks for: the same ring again, or one that it goes back to.

use super::{Cause, Installation, Reconciler, Scene};
use crate::file;
use crate::installed;
use crate::lifecycle::{Back, Next, Rejected, SOON};
use crate::plan;
use crate::problem::{chain, one_line};
use crate::supervisor::Supervisor;

impl<T: Supervisor> Reconciler<T> {
    /// The file that the course asks for. Where there is none, somebody must look.
    pub(super) fn put_right(&mut self, scene: &Scene, next: &mut Next) -> Option<Installation> {
        let made = match next {
            Next::Rewrite(why) | Next::RollBack(_, why) if let Some(text) = self.rests() => {
                let text = format!("{why}, and the file cannot be written: {text}");
                *next = Next::Hold(text, self.settings.supervisor.rules.look);
                return None;
            }
            Next::Rewrite(why) => self.written_again(scene, why),
            Next::RollBack(back, why) => self.way_back(scene, *back, why),
            _ => return None,
        };
        match made {
            Ok(installation) => Some(installation),
            Err(text) => {
                if matches!(next, Next::RollBack(..)) {
                    let fileversion = scene.installed.fileversion().unwrap_or_default();
                    self.processes.no_way_back = Some((fileversion, text.clone()));
                    *next = Next::Hold(text, SOON);
                } else {
                    *next = Next::Hold(text, self.settings.supervisor.rules.look);
                }
                None
            }
        }
    }

    /// The same ring under the next number.
    fn written_again(&self, scene: &Scene, why: &str) -> Result<Installation, String> {
        let cannot = |text: &str| format!("{why}, and it cannot be written again: {text}");
        let ring = scene.installed.ring().ok_or_else(|| cannot("chmpx would refuse the live file"))?;
        let validated =
            self.validated(scene, (**ring).clone()).map_err(|problems| cannot(&one_line(&problems)))?;
        let cause = Cause::NotLoaded(why.to_owned());
        let plan = plan::plan(Some(ring), ring);
        Ok(Installation { validated, plan, names: self.names_of_kept(scene, ring), cause })
    }

    /// The ring that it goes back to, under the next number; the live file is kept aside.
    fn way_back(&self, scene: &Scene, back: Back, why: &str) -> Result<Installation, String> {
        let cannot = |text: &str| format!("{why}, and there is no way back: {text}");
        let missing = || cannot("no generation that chmpx ran with is kept");
        let ledger = self.store.ledger();
        let way = match back {
            Back::Before => &ledger.before,
            Back::Proven => &ledger.verified,
        };
        let way = way.as_ref().ok_or_else(missing)?;
        let (_, path) = self
            .store
            .good_files()
            .into_iter()
            .find(|(version, _)| *version == way.fileversion)
            .ok_or_else(missing)?;
        let bytes = file::read(&path).map_err(|error| cannot(&chain(&error)))?;
        let ring = installed::read_bytes(&bytes).ring().cloned().ok_or_else(missing)?;
        // What chmpx has room for is no question where it is dead.
        let validated =
            self.validated(scene, (*ring).clone()).map_err(|problems| cannot(&one_line(&problems)))?;
        let plan = plan::plan(scene.installed.ring().map(|ring| &**ring), &ring);
        let names = self.names_of_kept(scene, &ring);
        Ok(Installation { validated, plan, names, cause: Cause::Rejected(why.to_owned()) })
    }

    /// Keeps the live file aside before it is replaced: what it was, and why it goes.
    pub(super) fn keep_aside(&self, why: &str) -> Result<Rejected, String> {
        let ledger = self.store.ledger();
        let written = ledger.written.as_ref().ok_or_else(|| "nothing was written".to_owned())?;
        let live = file::read(&self.settings.ini.path).map_err(|error| chain(&error))?;
        let kept = self.store.keep_rejected(written.fileversion, &live).map_err(|error| chain(&error))?;
        Ok(Rejected {
            ring: written.ring.clone(),
            fileversion: written.fileversion,
            why: why.to_owned(),
            at: self.clock.now().wall,
            gone: None,
            kept: kept.display().to_string(),
        })
    }
}
