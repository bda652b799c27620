//! The socket's file, and who may do what through it: root and the agent's own user anything, a group only ask for the
//! status.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{Gid, Group, Uid, chown};
use tokio::net::UnixListener;

use super::AdminError;
use crate::file;

/// The group where the settings name none: the package makes it.
const USUAL: &str = "k2hdkc-agent";

/// The socket below the runtime directory.
pub fn socket(runtime: &Path) -> PathBuf {
    runtime.join("agent.sock")
}

/// An open socket, and what the operator should know of it.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: UnixListener,
    /// The reason for which the group cannot ask, where the settings name one.
    pub note: Option<String>,
}

/// Opens the socket. The ledger's lock excludes another agent, so a leftover is removed.
///
/// # Errors
/// Its directory cannot be made, or the socket not be opened or closed to others.
pub fn listen(runtime: &Path, group: Option<&str>) -> Result<Listening, AdminError> {
    file::ensure_directory(runtime, 0o755)?;
    let path = socket(runtime);
    file::remove(&path)?;
    let failed = |source| AdminError::Listen { path: path.clone(), source };
    let listener = UnixListener::bind(&path).map_err(failed)?;
    set_mode(&path, 0o600).map_err(failed)?;
    let opened = open_to(&path, group.unwrap_or(USUAL));
    let note = opened.err().filter(|_| group.is_some());
    Ok(Listening { listener, note })
}

fn open_to(path: &Path, name: &str) -> Result<(), String> {
    let only =
        |why: String| format!("only root may ask for the status: state.status-group is \"{name}\", {why}");
    let found = Group::from_name(name).ok().flatten();
    let group = found.ok_or_else(|| only("but this host has no such group".to_owned()))?;
    chown(path, None, Some(group.gid))
        .map_err(std::io::Error::from)
        .and_then(|()| set_mode(path, 0o660))
        .map_err(|error| only(format!("but the socket cannot be given to it: {error}")))
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    let mode = Mode::from_bits_truncate(mode);
    Ok(fchmodat(nix::fcntl::AT_FDCWD, path, mode, FchmodatFlags::FollowSymlink)?)
}

/// Tells whether a user may give orders, and not only ask for the status.
pub(super) fn may_order(peer: u32, own: Uid) -> bool {
    peer == 0 || peer == own.as_raw()
}

/// The error of a question, by the way it failed.
pub(super) fn judge(path: &Path, source: std::io::Error) -> AdminError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => AdminError::Absent { path, source },
        ErrorKind::PermissionDenied => AdminError::Denied { remedy: remedy(&path), path },
        _ => AdminError::Silent { path, source },
    }
}

fn remedy(path: &Path) -> String {
    let metadata = path.metadata().ok().filter(|metadata| metadata.permissions().mode() & 0o020 != 0);
    let group = metadata.and_then(|metadata| Group::from_gid(Gid::from_raw(metadata.gid())).ok().flatten());
    match group {
        Some(group) => format!("ask as root or, for the status, as a member of the group {}", group.name),
        None => "ask as root; state.status-group names a group that may ask for the status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_of_root_and_of_the_agents_own_user() {
        for (peer, own, may) in
            [(0, 0, true), (0, 990, true), (990, 990, true), (1000, 0, false), (1000, 990, false)]
        {
            assert_eq!(may_order(peer, Uid::from_raw(own)), may, "{peer} {own}");
        }
    }

    #[tokio::test]
    async fn the_socket_is_closed_but_to_the_group_and_a_group_that_is_none_is_told_where_it_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let own = Group::from_gid(nix::unistd::getegid()).unwrap().unwrap();
        let listening = listen(dir.path(), Some(&own.name)).unwrap();
        let metadata = socket(dir.path()).metadata().unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.gid()), (0o660, own.gid.as_raw()));
        assert_eq!(listening.note, None);
        let listening = listen(dir.path(), Some("no-such-group")).unwrap();
        assert_eq!(socket(dir.path()).metadata().unwrap().mode() & 0o777, 0o600);
        let note = listening.note.unwrap();
        assert!(
            note.ends_with("state.status-group is \"no-such-group\", but this host has no such group"),
            "{note}"
        );
    }

    #[test]
    fn refused_absent_and_silent_are_three_things() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket(dir.path());
        let judged = |kind: ErrorKind| judge(&path, kind.into());
        assert!(matches!(judged(ErrorKind::NotFound), AdminError::Absent { .. }));
        assert!(matches!(judged(ErrorKind::ConnectionRefused), AdminError::Absent { .. }));
        assert!(matches!(judged(ErrorKind::TimedOut), AdminError::Silent { .. }));
        let denied = judged(ErrorKind::PermissionDenied).to_string();
        assert!(denied.contains("ask as root; state.status-group names a group"), "{denied}");
    }
}
