//! Policies: whether a role may read or write a resource.

use super::State;

impl State {
    /// Denied unless a policy of the role, or of one above it, allows it for exactly this resource.
    pub(in crate::k2hr3) fn may(&self, role: &str, action: &str, resource: &str) -> bool {
        let action = format!("yrn:yahoo::::action:{action}");
        let named = self.effective_policies(role);
        let mut matching = named
            .iter()
            .filter_map(|name| self.policies.get(name))
            .filter(|policy| {
                policy.actions.contains(&action) && policy.resources.iter().any(|name| name == resource)
            })
            .peekable();
        matching.peek().is_some() && matching.all(|policy| policy.allows)
    }
}
