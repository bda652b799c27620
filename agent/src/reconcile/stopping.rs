//! The stop for maintenance: whether it may begin, and its end. How it goes is decided in [`crate::course`].

use super::Reconciler;
use super::leaving::Obstacle;
use crate::apply::full;
use crate::course::Leaving;
use crate::ring::Mode;
use crate::target::Target;

impl<T: Target> Reconciler<T> {
    /// How far this node has stopped for maintenance.
    pub fn stopped(&self) -> Option<&Leaving> {
        self.store.ledger().known.stopped.as_ref()
    }

    /// Begins to stop the processes until [`Self::start`], also over restarts of the agent and of the host. One line for
    /// people.
    ///
    /// # Errors
    ///
    /// Why it does not: what speaks against a leave, or nobody to stop anything.
    pub fn stop(&mut self, force: bool) -> Result<String, String> {
        if let Some(leaving) = self.leaving() {
            return Err(format!("this node leaves the cluster already: {}", leaving.stage.text()));
        }
        if matches!(self.processes.obstacle, Some(Obstacle::Unmoved)) {
            return Err("chmpx and k2hdkc are not the agent's here (target none): stop them where they run"
                .to_owned());
        }
        if let Some(mut stopped) = self.stopped().cloned() {
            stopped.force |= force;
            let text = format!("this node was told to stop already: {}", stopped.stage.text());
            return self.keep_stop(Some(stopped)).map(|()| text);
        }
        let mode = self.mode()?;
        if let Some(obstacle) = self.obstacle(mode).filter(|_| !force) {
            return Err(format!("this node does not stop: {obstacle}; 'stop --force' stops all the same"));
        }
        let stopped = Leaving::begin_stop(self.clock.now().wall, mode, force);
        let text = match mode {
            Mode::Server => stopped.stage.text(),
            Mode::Slave => "its chmpx ends, and with it the handles of the programs here",
        };
        self.keep_stop(Some(stopped))?;
        let price = Obstacle::price(self.processes.obstacle.as_ref());
        let price = price.map_or_else(String::new, |price| format!(". Mind that {price}"));
        Ok(format!("this node stops until 'k2hdkc-agent start': {text}{price}"))
    }

    /// Lets the processes run again, or calls a stop off. Whether there was one.
    ///
    /// # Errors
    ///
    /// The ledger cannot be written.
    pub fn start(&mut self) -> Result<bool, String> {
        let was = self.stopped().is_some();
        self.keep_stop(None)?;
        self.processes.stays();
        Ok(was)
    }

    fn keep_stop(&mut self, stopped: Option<Leaving>) -> Result<(), String> {
        self.store.update(|ledger| ledger.known.stopped = stopped).map_err(|error| full(&error))
    }
}
