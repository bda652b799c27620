//! Shortens a plan that fails: steps go, as many as can go while it still fails alike.

use crate::plan::Plan;
use crate::world::World;

/// Returns the shortest plan found that breaks the same invariant.
pub(crate) fn shrink(plan: &Plan, kind: &str) -> Plan {
    let mut best = plan.clone();
    let mut size = best.steps.len();
    while size > 0 {
        let mut from = 0;
        while from + size <= best.steps.len() {
            let shorter = best.without(from..from + size);
            if fails(&shorter, kind) {
                best = shorter;
            } else {
                from += 1;
            }
        }
        size /= 2;
    }
    best
}

fn fails(plan: &Plan, kind: &str) -> bool {
    let ended = World::new(plan.clone(), false).run();
    ended.violations.iter().any(|violation| violation.broken.kind() == kind)
}
