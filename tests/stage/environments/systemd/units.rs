//! Which unit files a node of environment A has, as options of `docker run`.

use super::Shape;
use crate::environments::asset;

/// The directory in which packages put units.
const UNITS: &str = "/usr/lib/systemd/system";

/// Mounts of the units of that shape, and of what the agent's package brings for each.
pub(super) fn mounts(shape: Shape) -> Vec<String> {
    let folder = if shape == Shape::Direct { "direct" } else { "helper" };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (folder, unit) in [
        (folder, "chmpx.service"),
        (folder, "k2hdkc.service"),
        ("both", "k2hr3-get-resource.service"),
        ("both", "k2hr3-get-resource.timer"),
    ] {
        pairs.push((format!("units/{folder}/{unit}"), format!("{UNITS}/{unit}")));
    }
    if shape != Shape::Packaged {
        pairs.extend(["", "-bootstrap"].map(|kind| shipped(&format!("k2hdkc-agent{kind}.service"), UNITS)));
    }
    if shape == Shape::Shipped {
        pairs.extend(package());
    }
    pairs.into_iter().flat_map(|(from, to)| mount(&from, &to)).collect()
}

/// The rest of `systemd/` at the places where packages install it.
fn package() -> Vec<(String, String)> {
    let drop_in = |unit: &str| shipped(&format!("{unit}.service.d/50-k2hdkc-agent.conf"), UNITS);
    let conf = |kind: &str| shipped(&format!("{kind}.d/k2hdkc-agent.conf"), "/usr/lib");
    vec![
        shipped("k2hdkc-agent-leave.service", UNITS),
        shipped("leave-at-poweroff", "/usr/lib/k2hdkc-agent"),
        ("../../packaging/package".to_owned(), "/usr/lib/k2hdkc-agent/package".to_owned()),
        drop_in("chmpx"),
        drop_in("k2hdkc"),
        conf("sysctl"),
        conf("sysusers"),
        conf("tmpfiles"),
    ]
}

fn shipped(file: &str, directory: &str) -> (String, String) {
    (format!("../../systemd/{file}"), format!("{directory}/{file}"))
}

fn mount(from: &str, to: &str) -> [String; 2] {
    ["-v".to_owned(), format!("{}:{to}:ro", asset(from).display())]
}
