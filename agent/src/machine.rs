//! Facts about this host: its addresses and names, and what stands at the paths that the ini names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use crate::acceptance::{FileKind, Host};

/// Looks at the interfaces and at `paths`.
pub fn host(paths: BTreeSet<String>) -> Host {
    let files: BTreeMap<String, FileKind> =
        paths.into_iter().map(|path| (path.clone(), kind(&path))).collect();
    Host { files: Some(files), addresses: addresses() }
}

/// Links are followed, as chmpx does. The ini's own paths are taken as they are: chmpx knows no `--root`.
fn kind(path: &str) -> FileKind {
    match std::fs::metadata(Path::new(path)) {
        Ok(metadata) if metadata.is_dir() => FileKind::Dir,
        Ok(metadata) if metadata.is_file() => FileKind::File,
        _ => FileKind::Missing,
    }
}

/// The names of this host: that of the kernel, and the one that it gets at the next boot.
pub fn names() -> Vec<String> {
    let paths = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let texts = paths.into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let lines = texts.map(|text| text.lines().next().unwrap_or_default().trim().to_owned());
    lines.filter(|name| !name.is_empty()).collect()
}

/// The addresses of all interfaces; `None`, and so no rule about them, where the kernel does not say.
pub fn addresses() -> Option<BTreeSet<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs().ok()?;
    let found = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    Some(found.collect())
}
