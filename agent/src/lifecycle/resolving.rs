//! Waits for a chmpx that waits for a name server. It is not deaf: it goes on by itself, and neither another file nor a restart
//! helps, since its successor waits for the same name server.

use super::Action;
use super::scene::Scene;
use super::words::Control;

/// Waits for the name server, where chmpx waits for one. `reason` is what it keeps waiting.
pub(super) fn wait(scene: &Scene<'_>, reason: &impl ToString) -> Option<Action> {
    let server = scene.history.ring.resolver.server(scene.now)?.to_owned();
    Some(scene.wait(Control::Resolving { server, reason: reason.to_string() }))
}
