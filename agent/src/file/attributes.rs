//! The extended attributes of a file that is replaced: which of them its new content must have, may have, and must not have.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::{FileError, failed};

/// Treatment of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// The kernel makes it of the content: the old one's hash on the new content would close the file to everybody.
    Never,
    /// Decides who may read the file: without it there is no new file.
    Needed,
    /// A remark: the file is as good without it.
    Wished,
}

/// Copies the attributes of `live` to `next`; what could not be copied, and why.
///
/// # Errors
///
/// A label or an ACL could not be copied, or one that `live` does not have could not be removed.
pub(super) fn copy(live: &Path, next: &Path) -> Result<Vec<String>, FileError> {
    let Some(names) = names(live)? else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    for name in &names {
        let treatment = treatment(name);
        if treatment == Treatment::Never {
            continue;
        }
        match (copy_one(live, next, name), treatment) {
            (Ok(()), _) => {}
            (Err(source), Treatment::Needed) => {
                return Err(FileError::Attribute { name: shown(name), path: next.to_owned(), source });
            }
            (Err(error), Treatment::Wished | Treatment::Never) => notes.push(format!(
                "the attribute {} of {} is not on its new content: {error}",
                shown(name),
                live.display()
            )),
        }
    }
    // What a directory gives to each new file in it would open this one to others.
    for name in self::names(next)?.unwrap_or_default() {
        if is_acl(&name) && !names.contains(&name) {
            xattr::remove(next, &name).map_err(failed("remove an inherited ACL of", next))?;
        }
    }
    Ok(notes)
}

/// The names of a file's attributes; `None` where its filesystem has none.
fn names(path: &Path) -> Result<Option<Vec<std::ffi::OsString>>, FileError> {
    match xattr::list(path) {
        Ok(names) => Ok(Some(names.collect())),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(failed("list the extended attributes of", path)(error)),
    }
}

fn copy_one(live: &Path, next: &Path, name: &OsStr) -> io::Result<()> {
    let Some(value) = xattr::get(live, name)? else { return Ok(()) };
    if xattr::get(next, name).ok().flatten().as_ref() == Some(&value) {
        return Ok(());
    }
    xattr::set(next, name, &value)
}

fn treatment(name: &OsStr) -> Treatment {
    let text = name.to_string_lossy();
    match &*text {
        "security.ima" | "security.evm" => Treatment::Never,
        "security.selinux" | "security.apparmor" => Treatment::Needed,
        _ if text.starts_with("security.SMACK64") || is_acl(name) => Treatment::Needed,
        _ => Treatment::Wished,
    }
}

/// Of POSIX, NFS 4 or CIFS.
fn is_acl(name: &OsStr) -> bool {
    let text = name.to_string_lossy();
    text.starts_with("system.") && text.contains("acl")
}

fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_makes_is_never_copied_and_only_labels_and_acls_are_needed() {
        for (name, expected) in [
            ("security.ima", Treatment::Never),
            ("security.evm", Treatment::Never),
            ("security.selinux", Treatment::Needed),
            ("security.SMACK64", Treatment::Needed),
            ("security.SMACK64TRANSMUTE", Treatment::Needed),
            ("system.posix_acl_access", Treatment::Needed),
            ("system.nfs4_acl", Treatment::Needed),
            ("security.capability", Treatment::Wished),
            ("trusted.overlay.opaque", Treatment::Wished),
            ("user.note", Treatment::Wished),
        ] {
            assert_eq!(treatment(OsStr::new(name)), expected, "{name}");
        }
    }

    /// The two files, where this filesystem and user can have such attributes.
    fn files(attributes: &[(&str, &[u8])]) -> Option<(tempfile::TempDir, [std::path::PathBuf; 2])> {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["live", "next"].map(|name| dir.path().join(name));
        for path in &paths {
            super::super::store(path, b"x").unwrap();
        }
        let set = attributes.iter().all(|(name, value)| xattr::set(&paths[0], name, value).is_ok());
        set.then_some((dir, paths))
    }

    #[test]
    fn the_hash_of_the_old_content_is_not_put_on_the_new_one() {
        let attributes: &[(&str, &[u8])] = &[("security.ima", b"\x04\x04old"), ("user.note", b"kept")];
        let Some((_dir, [live, next])) = files(attributes) else { return };
        assert_eq!(copy(&live, &next).unwrap(), Vec::<String>::new());
        assert_eq!(xattr::get(&next, "security.ima").unwrap(), None);
        assert_eq!(xattr::get(&next, "user.note").unwrap().as_deref(), Some(&b"kept"[..]));
    }

    #[test]
    fn an_acl_that_the_directory_gives_to_new_files_is_not_left_on_one_whose_live_file_has_none() {
        // Version 2; the owner, the user 4321, the group, the mask and others.
        let entries: [(u16, u16, u32); 5] =
            [(1, 6, u32::MAX), (2, 6, 4321), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 4, u32::MAX)];
        let mut acl = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            acl.extend(tag.to_le_bytes());
            acl.extend(permissions.to_le_bytes());
            acl.extend(id.to_le_bytes());
        }
        let Some((_dir, [live, next])) = files(&[]) else { return };
        if xattr::set(&next, "system.posix_acl_access", &acl).is_err() {
            return;
        }
        copy(&live, &next).unwrap();
        assert_eq!(xattr::get(&next, "system.posix_acl_access").unwrap(), None);
    }
}
