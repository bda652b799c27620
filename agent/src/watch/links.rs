//! Symbolic links on the way to a file: what is read by a path changes as well when one of them does. So a file of a
//! Kubernetes volume is replaced: `a.toml` leads to `..data/a.toml`, and `..data` to another directory each time.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many as the kernel follows.
const MOST: usize = 40;

/// The path, every link on the way, and where it ends.
pub(super) fn on_the_way(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    let (mut walked, mut links) = (PathBuf::new(), 0);
    let mut ahead = parts(path);
    while let Some(part) = ahead.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => drop(walked.pop()),
            Some(_) => walked.push(&part),
            None => {}
        }
        let Ok(supervisor) = std::fs::read_link(&walked) else { continue };
        links += 1;
        if links > MOST {
            return found;
        }
        found.push(walked.clone());
        walked.pop();
        parts(&supervisor).into_iter().rev().for_each(|part| ahead.push_front(part));
    }
    found.push(walked);
    found.dedup();
    found
}

/// An absolute one begins at the root, as `push` has it.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components().map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_of_a_kubernetes_volume_hangs_on_the_link_of_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().canonicalize().unwrap().join(name);
        std::fs::create_dir(at("..2026")).unwrap();
        crate::file::store(&at("..2026/a.toml"), b"").unwrap();
        symlink("..2026", at("..data")).unwrap();
        symlink("..data/a.toml", at("a.toml")).unwrap();
        assert_eq!(on_the_way(&at("a.toml")), [at("a.toml"), at("..data"), at("..2026/a.toml")].to_vec());
    }

    #[test]
    fn absolute_links_and_ways_up_are_followed_and_circles_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().canonicalize().unwrap().join(name);
        std::fs::create_dir(at("deep")).unwrap();
        symlink(at("deep/../b"), at("a")).unwrap();
        assert_eq!(on_the_way(&at("a")), [at("a"), at("b")].to_vec());
        symlink("circle", at("circle")).unwrap();
        assert!(on_the_way(&at("circle")).len() <= MOST + 1);
    }

    #[test]
    fn a_path_without_links_is_itself_be_it_there_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("x/y.toml");
        assert_eq!(on_the_way(&path), [path.clone()].to_vec());
    }
}
