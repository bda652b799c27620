//! Sockets that a process has open, by its descriptors in `/proc`.

use std::path::Path;
use std::{fs, io};

/// A socket of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Socket {
    /// Number of its descriptor in that process.
    pub(crate) descriptor: i32,
    /// Inode, by which the kernel's tables name it.
    pub(crate) inode: u64,
}

/// Returns the sockets of a process by its directory in `/proc`. One that is closed meanwhile is left out.
///
/// # Errors
///
/// The descriptors cannot be read: the process has ended, or belongs to another user.
pub(crate) fn sockets(process: &Path) -> io::Result<Vec<Socket>> {
    let entries = fs::read_dir(process.join("fd"))?.flatten();
    let socket = |entry: fs::DirEntry| {
        let link = fs::read_link(entry.path()).ok()?;
        let descriptor = entry.file_name().to_str()?.parse().ok()?;
        Some(Socket { descriptor, inode: inode(link.to_str()?)? })
    };
    Ok(entries.filter_map(socket).collect())
}

/// Reads `socket:[12345]`.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_a_descriptor_names_the_inode_of_a_socket() {
        assert_eq!((inode("socket:[4026]"), inode("pipe:[4026]"), inode("/x")), (Some(4026), None, None));
    }
}
