//! The tar archive in which the daemon takes a file. Pure.

use std::io;

/// A tar archive with one regular file.
///
/// # Errors
///
/// A name that leaves the directory, or one that tar cannot hold.
pub(super) fn of_file(name: &str, bytes: &[u8], mode: u32, (uid, gid): (u64, u64)) -> io::Result<Vec<u8>> {
    // GNU: an id of a user namespace may be too long for the octal digits of ustar, and becomes binary here.
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode & 0o7777);
    header.set_uid(uid);
    header.set_gid(gid);
    header.set_size(bytes.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, bytes)?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_lists_the_file_with_its_size_mode_and_owner() {
        for (uid, gid) in [(1001, 1001), (2_097_151, 2_097_152), (1_000_580_000, 4_294_967_294)] {
            let archive = of_file(".k2hdkc.ini.new", &[b'x'; 700], 0o100_644, (uid, gid)).unwrap();
            let mut tar = Command::new("tar")
                .args(["-tvf", "-", "--numeric-owner"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            tar.stdin.take().unwrap().write_all(&archive).unwrap();
            let output = tar.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success());
            assert!(text.starts_with(&format!("-rw-r--r-- {uid}/{gid}")) && text.contains(" 700 "), "{text}");
            assert!(text.trim_end().ends_with(" .k2hdkc.ini.new"), "{text}");
        }
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused() {
        assert!(of_file("../k2hdkc.ini", b"", 0o644, (0, 0)).is_err());
    }
}
