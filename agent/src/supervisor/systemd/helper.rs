//! The file that upstream's helpers hand to their programs, by the rules of their look-up. Pure: the content of a file is an
//! argument.
//!
//! `override.conf` comes first, and where it exists a key that is not in it is empty: the helper's own file is not asked for
//! it (a bug of upstream's that nodes live with; every rule here was tried with `get_value` of chmpx 1.0.113 in dash).

use std::path::{Path, PathBuf};

use crate::supervisor::Program;

/// Reader of files: text of a path, `None` without the file.
pub(super) type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// The ini that the program's helper hands to it.
pub(super) fn ini(program: Program, directory: &Path, read: Read<'_>) -> PathBuf {
    let (conf, key) = names(program);
    let usual = || directory.join(format!("{}.ini", program.name()));
    // A helper without its own file ends at once: whatever it says then is not this.
    let value = value(conf, key, directory, read).filter(|value| !value.is_empty());
    value.map_or_else(usual, |value| match Path::new(&value).parent() {
        _ if value.starts_with('/') => PathBuf::from(value),
        // A directory in front is taken twice.
        Some(parent) => directory.join(parent).join(value),
        None => directory.join(value),
    })
}

/// The line of `override.conf` that makes the helper hand that ini to its program.
pub(super) fn remedy(program: Program, ini: &Path) -> String {
    let (conf, key) = names(program);
    format!("{conf}:{key} = {}", ini.display())
}

/// The file that upstream's reader of K2HR3 replaces; `None` where that is not to be told.
pub(super) fn output(directory: &Path, read: Read<'_>) -> Option<PathBuf> {
    const CONF: &str = "k2hr3-get-resource-helper.conf";
    let set = |key: &str| value(CONF, key, directory, read).filter(|value| !value.is_empty());
    let resource = || {
        let path = set("RESOURCE_PATH").or_else(|| read(&directory.join("k2hr3-role-name")))?;
        Some(path.trim().rsplit(['/', ':']).next()?.to_owned())
    };
    let name = set("OUTPUT_FILE").or_else(resource)?;
    let under = set("OUTPUT_DIR").map_or_else(|| directory.to_owned(), PathBuf::from);
    Some(under.join(name))
}

fn names(program: Program) -> (&'static str, &'static str) {
    match program {
        Program::Chmpx => ("chmpx-service-helper.conf", "CHMPX_INI_CONF_FILE"),
        Program::K2hdkc => ("k2hdkc-service-helper.conf", "K2HDKC_INI_CONF_FILE"),
    }
}

/// A value, empty or not; `None` where the helper's own file is needed and not there.
fn value(conf: &str, key: &str, directory: &Path, read: Read<'_>) -> Option<String> {
    let own = || read(&directory.join(conf)).map(|text| line(&text, key));
    let Some(over) = read(&directory.join("override.conf")) else { return own() };
    let found = line(&over, &format!("{conf}:{key}"));
    if !found.contains(':') {
        return Some(found);
    }
    // A third part is passed over.
    let mut parts =
        found.split(|c: char| c == ':' || c.is_ascii_whitespace()).filter(|part| !part.is_empty());
    let (Some(file), Some(key)) = (parts.next(), parts.next()) else { return own() };
    read(&directory.join(file)).map_or_else(own, |text| Some(line(&text, key)))
}

/// The last line that sets the key; empty where none does. What looks like a comment behind a value belongs to it.
fn line(text: &str, key: &str) -> String {
    let value = |line: &str| {
        let (name, value) = line.trim_start().strip_prefix(key)?.split_once('=')?;
        name.trim().is_empty().then(|| value.trim().to_owned())
    };
    text.lines().filter_map(value).next_back().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETC: &str = "/etc/antpickax";

    fn with(files: &[(&str, &str)], program: Program) -> String {
        let read = |path: &Path| {
            files
                .iter()
                .find(|(name, _)| Path::new(ETC).join(name) == path)
                .map(|(_, text)| (*text).to_owned())
        };
        ini(program, Path::new(ETC), &read).display().to_string()
    }

    /// Results of `get_value` of chmpx 1.0.113, run in dash beside a helper's own file with `own.ini`.
    #[test]
    fn override_conf_is_read_as_the_helpers_do() {
        let own = ("chmpx-service-helper.conf", "CHMPX_INI_CONF_FILE = own.ini");
        let other = ("other.conf", "K2 = from-other.ini");
        for (over, value) in [
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = v.ini", "v.ini"),
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = other.conf:K2", "from-other.ini"),
            (
                "chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = /etc/antpickax/other.conf:K2",
                "from-other.ini",
            ),
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = other.conf:K2:x", "from-other.ini"),
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = other.conf:K3", "chmpx.ini"),
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = none.conf:K2", "own.ini"),
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = other.conf:", "own.ini"),
            ("chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = a:b:c", "own.ini"),
            (
                "  chmpx-service-helper.conf:CHMPX_INI_CONF_FILE=1\nchmpx-service-helper.conf:CHMPX_INI_CONF_FILE\t=\tv.ini \n\
              # chmpx-service-helper.conf:CHMPX_INI_CONF_FILE = 3",
                "v.ini",
            ),
            // The bug: what override.conf does not say is empty, and the default holds.
            ("k2hdkc-service-helper.conf:K2HDKC_INI_CONF_FILE = v.ini", "chmpx.ini"),
            ("", "chmpx.ini"),
        ] {
            let found = with(&[("override.conf", over), own, other], Program::Chmpx);
            assert_eq!(found, format!("{ETC}/{value}"), "{over}");
        }
        assert_eq!(with(&[own], Program::Chmpx), format!("{ETC}/own.ini"));
        assert_eq!(with(&[], Program::K2hdkc), format!("{ETC}/k2hdkc.ini"));
    }

    #[test]
    fn a_path_is_absolute_or_its_directory_is_taken_twice() {
        let with = |value: &str| {
            let over = format!("k2hdkc-service-helper.conf:K2HDKC_INI_CONF_FILE = {value}");
            with(&[("override.conf", &over)], Program::K2hdkc)
        };
        assert_eq!(with("/srv/x.ini"), "/srv/x.ini");
        assert_eq!(with("sub/x.ini"), "/etc/antpickax/sub/sub/x.ini");
    }

    #[test]
    fn what_the_reader_of_k2hr3_replaces_is_named_by_its_settings_or_by_the_resource() {
        let file = |files: &[(&str, &str)]| {
            let read = |path: &Path| {
                files.iter().find(|(name, _)| Path::new(ETC).join(name) == path).map(|(_, t)| (*t).to_owned())
            };
            output(Path::new(ETC), &read).map(|path| path.display().to_string())
        };
        let set = "k2hr3-get-resource-helper.conf:OUTPUT_FILE = k2hdkc.ini";
        assert_eq!(file(&[("override.conf", set)]).as_deref(), Some("/etc/antpickax/k2hdkc.ini"));
        let elsewhere = "k2hr3-get-resource-helper.conf:OUTPUT_DIR = /srv\n\
                         k2hr3-get-resource-helper.conf:OUTPUT_FILE = x.ini";
        assert_eq!(file(&[("override.conf", elsewhere)]).as_deref(), Some("/srv/x.ini"));
        let role = [("k2hr3-role-name", "yrn:yahoo:::t:role:mycluster/server\n")];
        assert_eq!(file(&role).as_deref(), Some("/etc/antpickax/server"));
        assert_eq!(file(&[]), None);
    }
}
