//! Values that follow from other keys, and paths below the root.

use std::path::Path;

use super::{Places, Settings, SourceKind, Supervisor, below};
use crate::took_over;

/// Completes the settings.
pub(super) fn resolve(settings: &mut Settings, root: &Path) {
    let Settings { k2hr3, join, ini, hosts, supervisor, state, .. } = settings;
    // A file knows no role.
    join.enabled &= k2hr3.source != SourceKind::File;
    if supervisor.containers.ini.is_empty() {
        supervisor.containers.ini = ini.path.display().to_string();
    }
    let always = [
        &mut k2hr3.token_file,
        &mut ini.path,
        &mut hosts.path,
        &mut state.directory,
        &mut state.runtime_directory,
    ];
    for path in always.into_iter().chain(k2hr3.ca_file.as_mut()).chain(k2hr3.file.as_mut()) {
        *path = below(root, path);
    }
    k2hr3.places = Places { root: root.to_owned(), state: state.directory.clone() };
    programs(supervisor, root, &state.runtime_directory);
}

fn programs(supervisor: &mut Supervisor, root: &Path, runtime_directory: &Path) {
    let Supervisor { process, units, timing, .. } = supervisor;
    runtime_directory.clone_into(&mut process.runtime_directory);
    process.base_directory = below(root, Path::new("/var/lib/antpickax"));
    process.prepares_host = root == Path::new("/");
    process.answer_within = timing.answer_within;
    units.helpers = below(root, Path::new("/etc/antpickax"));
    units.took_over = took_over::file(root);
}
