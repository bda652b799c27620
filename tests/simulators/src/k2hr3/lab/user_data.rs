//! The user data with which VMs enter their roles, and its addresses.

use super::Lab;
use crate::k2hr3::state::{State, UserData};

/// The template of the user-data that this K2HR3 gives out: the one that the repository offers.
pub const USER_DATA: &str = include_str!("../../../../../cloud-init/k2hr3-init.sh.templ");

/// The part that cloud-init gets before it, likewise.
const CLOUD_CONFIG: &str = include_str!("../../../../../cloud-init/k2hr3-cloud-config.txt.templ");

/// The user-data of a K2HR3 that was set up for Trove too.
pub(super) fn lay_out(state: &mut State) {
    state.script = USER_DATA.into();
    state.cloud_config = CLOUD_CONFIG.into();
    state.user_data = vec![
        UserData { name: "dummy".into(), user_agent: "dummy-client".into() },
        UserData { name: "trove".into(), user_agent: "extdata_k2hr3_trove".into() },
    ];
}

impl Lab {
    /// Gives out another template from now on.
    pub fn set_user_data(&self, template: &str) {
        self.with(|state| template.clone_into(&mut state.script));
    }

    /// The part of the address of `userdata` and `extdata` that belongs to a role token.
    pub fn register_path(&self, token: &str) -> Option<String> {
        self.lock().state.role_tokens.get(token).map(|entry| entry.register_path.clone())
    }
}
