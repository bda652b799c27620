//! The one way in which a file of this host is replaced: written beside it, made durable, and exchanged.
//!
//! chmpx watches the inode of its ini and reloads at every event on it. Truncating or copying over the file shows
//! it half a file, and it ends (in 48 of 60 updates); after a plain rename it hears nothing while somebody holds
//! the old inode open or linked. `renameat2(RENAME_EXCHANGE)` was heard in every case measured, and leaves the
//! old content under the temporary name. The live path is never opened for writing, truncated, linked or removed.

mod attributes;

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, fchown};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use thiserror::Error;

/// Errors of a replacement. The live file is untouched in every case.
#[derive(Debug, Error)]
pub enum FileError {
    /// An operation on the file or beside it failed.
    #[error("cannot {what} {path}")]
    Io {
        /// The operation.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A label or an ACL cannot be put on the new file.
    #[error(
        "cannot put the attribute {name} of the live file on {path}, without which others could read it, or none could"
    )]
    Attribute {
        /// Its name.
        name: String,
        /// The new file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The live path is a symbolic link.
    #[error(
        "{0} is a symbolic link: chmpx watches what it points to and would not hear of a replacement; name the \
         target as ini.path, or put a regular file there"
    )]
    Symlink(PathBuf),
    /// The live path is something else than a regular file.
    #[error("{0} is not a regular file")]
    NotRegular(PathBuf),
    /// The live path is mounted by itself.
    #[error(
        "{0} is a mount point (a single file mounted into a container): it cannot be replaced atomically; mount \
         the directory instead"
    )]
    MountPoint(PathBuf),
    /// The live path, or its directory, may not be changed by anybody.
    #[error(
        "cannot {what} {path}: {frozen} is immutable or append-only (chattr +i, chattr +a), which binds root as well; \
         'chattr -i -a {frozen}' lifts it"
    )]
    Frozen {
        /// The operation.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The path with the attribute.
        frozen: PathBuf,
    },
}

/// Owner, group and mode of a new file, where none is there or where the settings demand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ownership {
    /// Owner; the present one, or root.
    pub uid: Option<u32>,
    /// Group; the present one, or root's.
    pub gid: Option<u32>,
    /// Permission bits; the present ones, or 0644.
    pub mode: Option<u32>,
}

/// A file was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The way of the replacement.
    pub how: Replaced,
    /// Attributes of the old file that the new one lacks, for the operator.
    pub notes: Vec<String>,
}

/// Ways of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// By `RENAME_EXCHANGE`; the old content stands under the temporary name.
    Exchanged,
    /// By a plain rename, since the filesystem lacks the exchange.
    Renamed,
    /// There was nothing before.
    Created,
}

/// The name beside `path` that holds the next content before the exchange and the previous one after it.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".k2hdkc-agent");
    path.with_file_name(name)
}

/// Tells whether a path has a name that [`beside`] makes.
pub fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(b".k2hdkc-agent")
}

/// Examines the file at `path`; `None` where there is none.
///
/// # Errors
///
/// The path must not be replaced (a link, no regular file, a mount point), or cannot be examined.
pub fn examine(path: &Path) -> Result<Option<Metadata>, FileError> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("look at", path)(error)),
    };
    if metadata.is_symlink() {
        return Err(FileError::Symlink(path.to_owned()));
    }
    if !metadata.is_file() {
        return Err(FileError::NotRegular(path.to_owned()));
    }
    if is_mount_point(path) {
        return Err(FileError::MountPoint(path.to_owned()));
    }
    Ok(Some(metadata))
}

/// Reads a file.
///
/// # Errors
///
/// The file cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(failed("read", path))
}

/// Replaces `path` by `bytes`, with owner, group, mode, extended attributes and label in place before it is seen.
///
/// # Errors
///
/// The path is nothing that may be replaced, or a step failed; the live file is untouched then.
pub fn replace(path: &Path, bytes: &[u8], wanted: Ownership) -> Result<Replacement, FileError> {
    let present = examine(path)?;
    let next = beside(path);
    let file = write_beside(&next, bytes)?;
    let notes = dress(&file, &next, path, present.as_ref(), wanted)?;
    file.sync_all().map_err(failed("sync", &next))?;
    let how = exchange(&next, path, present.is_some())?;
    sync_directory(path)?;
    Ok(Replacement { how, notes })
}

/// Writes a file of the agent's own, which no other program watches. Durable and atomic, mode 0600.
///
/// # Errors
///
/// A step failed; the former file is untouched then.
pub fn store(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let next = beside(path);
    let file = write_beside(&next, bytes)?;
    fchmod(file.as_fd(), Mode::from_bits_truncate(0o600))
        .map_err(|e| failed("set the mode of", &next)(e.into()))?;
    file.sync_all().map_err(failed("sync", &next))?;
    std::fs::rename(&next, path).map_err(failed("rename a new file to", path))?;
    sync_directory(path)
}

/// Removes a file of the agent's own; a missing one is no error.
///
/// # Errors
///
/// The file cannot be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Creates a directory and its parents with `mode`, where missing.
///
/// # Errors
///
/// One of them cannot be created.
pub fn ensure_directory(path: &Path, mode: u32) -> Result<(), FileError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(failed("create the directory", path))
}

/// A leftover of a killed predecessor is removed first; the new file is created, and never opened, so that nobody
/// can place a link there (upstream makes the directory writable for everybody).
fn write_beside(next: &Path, bytes: &[u8]) -> Result<File, FileError> {
    remove(next)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(next)
        .map_err(failed("create", next))?;
    file.write_all(bytes).map_err(failed("write", next))?;
    Ok(file)
}

fn dress(
    file: &File,
    next: &Path,
    live: &Path,
    present: Option<&Metadata>,
    wanted: Ownership,
) -> Result<Vec<String>, FileError> {
    let own = file.metadata().map_err(failed("look at", next))?;
    let uid = wanted.uid.or(present.map(Metadata::uid)).unwrap_or(own.uid());
    let gid = wanted.gid.or(present.map(Metadata::gid)).unwrap_or(own.gid());
    if (uid, gid) != (own.uid(), own.gid()) {
        fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
            .map_err(|e| failed("set the owner of", next)(e.into()))?;
    }
    // The bits behind the ACL's mask are set with it; so the mode comes first, the attributes second.
    let mode = wanted.mode.or(present.map(|m| m.permissions().mode() & 0o7777)).unwrap_or(0o644);
    fchmod(file.as_fd(), Mode::from_bits_truncate(mode))
        .map_err(|e| failed("set the mode of", next)(e.into()))?;
    if present.is_some() { attributes::copy(live, next) } else { Ok(Vec::new()) }
}

fn exchange(next: &Path, live: &Path, present: bool) -> Result<Replaced, FileError> {
    if present {
        use rustix::io::Errno;
        match renameat_with(CWD, next, CWD, live, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(Replaced::Exchanged),
            // Not this filesystem (NFS, some FUSE, kernels before 3.15).
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(Errno::BUSY) => return Err(FileError::MountPoint(live.to_owned())),
            Err(errno) => return Err(failed("exchange", live)(errno.into())),
        }
    }
    match std::fs::rename(next, live) {
        Ok(()) => Ok(if present { Replaced::Renamed } else { Replaced::Created }),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            Err(FileError::MountPoint(live.to_owned()))
        }
        Err(error) => Err(failed("rename a new file to", live)(error)),
    }
}

/// A rename is durable only with its directory.
fn sync_directory(path: &Path) -> Result<(), FileError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let opened = File::open(directory).map_err(failed("open the directory", directory))?;
    opened.sync_all().map_err(failed("sync the directory", directory))
}

/// A file mounted by itself, even from the same filesystem, where device numbers do not tell.
fn is_mount_point(path: &Path) -> bool {
    let Ok(whole) = path.canonicalize() else { return false };
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return false };
    mounts.lines().filter_map(|line| line.split(' ').nth(4)).any(|point| unescape(point) == whole.as_os_str())
}

/// mountinfo writes blanks and the like as three octal digits behind a backslash.
fn unescape(text: &str) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\').then(|| bytes.get(at + 1..at + 4)).flatten();
        let value = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        out.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 4 } else { 1 };
    }
    OsString::from_vec(out)
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| match frozen(&path, &source) {
        Some(frozen) => FileError::Frozen { what, path, frozen },
        None => FileError::Io { what, path, source },
    }
}

/// The path or its directory, where an attribute of it is why the kernel said EPERM: it says so to root, too.
fn frozen(path: &Path, error: &io::Error) -> Option<PathBuf> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    if error.raw_os_error() != Some(Errno::EPERM as i32) {
        return None;
    }
    let is_frozen = |path: &&Path| {
        let attributes =
            statx(CWD, *path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).map(|said| said.stx_attributes);
        attributes.is_ok_and(|said| said.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND))
    };
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    [Some(path), directory].into_iter().flatten().find(is_frozen).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn text(path: &Path) -> String {
        String::from_utf8(read(path).unwrap()).unwrap()
    }

    #[test]
    fn a_first_file_gets_the_usual_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k2hdkc.ini");
        assert_eq!(replace(&path, b"one", Ownership::default()).unwrap().how, Replaced::Created);
        assert_eq!(text(&path), "one");
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o644);
        assert!(!beside(&path).exists());
    }

    #[test]
    fn an_exchange_keeps_owner_mode_and_attributes_and_the_old_content_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k2hdkc.ini");
        put(&path, "one");
        let attributes = xattr::set(&path, "user.note", b"kept").is_ok();
        let old = path.metadata().unwrap();
        let replaced = Replacement { how: Replaced::Exchanged, notes: Vec::new() };
        assert_eq!(replace(&path, b"two", Ownership::default()).unwrap(), replaced);
        let new = path.metadata().unwrap();
        assert_eq!((text(&path), text(&beside(&path))), ("two".to_owned(), "one".to_owned()));
        assert_eq!((new.uid(), new.gid(), new.mode()), (old.uid(), old.gid(), old.mode()));
        assert_eq!(
            beside(&path).metadata().unwrap().ino(),
            old.ino(),
            "the old inode lives on under the other name"
        );
        if attributes {
            assert_eq!(xattr::get(&path, "user.note").unwrap().as_deref(), Some(&b"kept"[..]));
        }
    }

    #[test]
    fn settings_may_demand_another_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k2hdkc.ini");
        put(&path, "one");
        replace(&path, b"two", Ownership { mode: Some(0o600), ..Ownership::default() }).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_leftover_of_a_killed_predecessor_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k2hdkc.ini");
        put(&path, "one");
        put(&beside(&path), "half");
        replace(&path, b"two", Ownership::default()).unwrap();
        assert_eq!(text(&path), "two");
    }

    #[test]
    fn a_symbolic_link_is_refused_and_its_target_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let (target, path) = (dir.path().join("target"), dir.path().join("k2hdkc.ini"));
        put(&target, "one");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let error = replace(&path, b"two", Ownership::default()).unwrap_err();
        assert!(matches!(error, FileError::Symlink(_)), "{error}");
        assert_eq!(text(&target), "one");
        assert!(path.is_symlink());
    }

    #[test]
    fn a_directory_in_the_way_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = replace(dir.path(), b"x", Ownership::default()).unwrap_err();
        assert!(matches!(error, FileError::NotRegular(_)), "{error}");
    }

    /// Who may not set the attribute, or has it on no filesystem, sees the kernel's plain word.
    #[test]
    fn a_file_that_nobody_may_change_is_told_with_the_word_for_it() {
        use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        put(&path, "old");
        for frozen in [path.clone(), directory.path().to_owned()] {
            let opened = File::open(&frozen).unwrap();
            let set = |flag| ioctl_setflags(&opened, ioctl_getflags(&opened)? | flag);
            if let Err(errno) = set(IFlags::IMMUTABLE) {
                let unable =
                    [rustix::io::Errno::PERM, rustix::io::Errno::NOTTY, rustix::io::Errno::OPNOTSUPP];
                assert!(unable.contains(&errno), "{errno}");
                assert_eq!(super::frozen(&path, &Errno::EPERM.into()), None);
                continue;
            }
            let error = replace(&path, b"new", Ownership::default());
            ioctl_setflags(&opened, ioctl_getflags(&opened).unwrap() - IFlags::IMMUTABLE).unwrap();
            let text = error.unwrap_err().to_string();
            let remedy = format!("{} is immutable or append-only (chattr +i, chattr +a)", frozen.display());
            assert!(text.contains(&remedy), "{text}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(super::frozen(&path, &Errno::EACCES.into()), None);
    }

    #[test]
    fn the_agent_s_own_files_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.json");
        store(&path, b"{}").unwrap();
        store(&path, b"[]").unwrap();
        assert_eq!(text(&path), "[]");
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn mountinfo_s_octal_escapes_are_read() {
        assert_eq!(unescape("/a\\040b\\134c"), OsString::from("/a b\\c"));
        assert_eq!(unescape("/plain\\9"), OsString::from("/plain\\9"));
    }
}
