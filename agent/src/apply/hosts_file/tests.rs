use std::os::unix::fs::symlink;

use super::*;
use crate::hosts::Listed;
use crate::hosts::names::Line;

fn names() -> Names {
    let line = Line { names: vec!["vm1".to_owned()], servers: None };
    let lines = [("10.0.0.1".parse().unwrap(), line)].into();
    Names { lines, listed: Listed::Unknown, ..Names::default() }
}

#[test]
fn a_symbolic_link_stays_one_and_what_it_points_to_gets_the_block() {
    let dir = tempfile::tempdir().unwrap();
    let (link, supervisor) = (dir.path().join("hosts"), dir.path().join("real"));
    file::store(&supervisor, b"127.0.0.1 localhost\n").unwrap();
    symlink("real", &link).unwrap();
    assert_eq!(update_hosts(Some(&link), &names()), [] as [&str; 0]);
    assert!(link.is_symlink());
    let text = std::fs::read_to_string(&supervisor).unwrap();
    assert!(text.contains("\n10.0.0.1\tvm1\n"), "{text}");
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn advice_on_the_hosts_file_is_not_that_on_the_ini() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("hosts");
    symlink("nowhere", &link).unwrap();
    let told = update_hosts(Some(&link), &names());
    let text =
        format!("{} is left alone: it is a symbolic link to nothing; make what it points to", link.display());
    assert!(told[0].starts_with(&text), "{told:?}");
    let mounted = remedied(&FileError::MountPoint("/etc/hosts".into()));
    assert!(mounted.contains("hostAliases") && !mounted.contains("ini"), "{mounted}");
}

#[test]
fn a_comment_in_latin_1_keeps_no_block_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hosts");
    file::store(&path, b"127.0.0.1 localhost # f\xfcr\n").unwrap();
    assert_eq!(update_hosts(Some(&path), &names()), [] as [&str; 0]);
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"127.0.0.1 localhost # f\xfcr\n# BEGIN"), "{bytes:?}");
}

#[test]
fn a_missing_file_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hosts");
    assert_eq!(update_hosts(Some(&path), &names()), [] as [&str; 0]);
    assert!(std::fs::read_to_string(&path).unwrap().contains("10.0.0.1\tvm1"));
}
