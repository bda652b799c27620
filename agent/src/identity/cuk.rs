//! The node's CUK: K2HR3's user-data wrote it, else it is cloud-init's instance id. A fallback of cloud-init, the same on every
//! VM, is no identity: then the CUK stays under which the ledger knows this node as a member of its role.

use std::path::{Path, PathBuf};

use super::{first_line, role};
use crate::ledger::{Joined, Store};
use crate::names::Cuk;
use crate::registration::Disk;
use crate::settings;

/// cloud-init's names of a VM without an id of its own (V1): each is the same on every such VM.
const FALLBACKS: [&str; 10] = [
    "iid-datasource-none",
    "iid-datasource",
    "iid-datasource-wsl",
    "iid-dsopenstack",
    "iid-dsconfigdrive",
    "iid-dsopennebula",
    "iid-dsovf",
    "iid-AZURE-NODE",
    "nocloud",
    "455",
];

/// The files that belong to a CUK, as K2HR3's user-data writes them. The files of chmpx's helpers follow from them.
const BOUND_TO_CUK: [&str; 2] = ["k2hr3-cuk", "k2hr3-tag-param"];

/// A CUK, and what the operator should know of where it comes from.
pub(super) struct Found {
    pub(super) cuk: Cuk,
    pub(super) note: Option<String>,
}

/// The content of a file about this node's identity.
enum Said {
    Nothing,
    Fallback(String),
    Id(String),
}

/// Looks for the CUK where the settings name none.
///
/// # Errors
///
/// No file has it, one has no valid CUK, or all have only a fallback of cloud-init and the ledger knows no other.
pub(super) fn find(settings: &settings::K2hr3) -> Result<Found, String> {
    let (own, instance) = (own_file(settings), &settings.places.instance_id());
    let (path, text) = match (said(&own)?, said(instance)?, remembered(settings)) {
        (Said::Id(text), ..) => (&own, text),
        (Said::Nothing, Said::Id(text), _) | (Said::Fallback(_), Said::Id(text), None) => (instance, text),
        // A fallback in the file that comes first is what keeps an instance id from being taken.
        (own_said @ Said::Fallback(_), Said::Id(_), Some(known)) => return goes_on(&own, &own_said, &known),
        (_, other, Some(known)) => return goes_on(instance, &other, &known),
        (Said::Fallback(text), _, None) => return Err(unusable(&own, &text)),
        (Said::Nothing, Said::Fallback(text), None) => return Err(unusable(instance, &text)),
        (Said::Nothing, Said::Nothing, None) => return Err(super::missing(instance, "k2hr3.cuk")),
    };
    let cuk = Cuk::try_from(text.as_str()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Found { cuk, note: None })
}

/// Reads the files of this host about a CUK that K2HR3 has under another address.
pub(super) fn disk(settings: &settings::K2hr3, cuk: &str) -> Disk {
    let files: Vec<PathBuf> = BOUND_TO_CUK.map(|name| settings.places.userdata().join(name)).into();
    let files: Vec<PathBuf> = files.into_iter().filter(|path| path.exists()).collect();
    let named = settings.cuk.is_some();
    match said(&settings.places.instance_id()) {
        Ok(Said::Id(id)) if id == cuk => Disk::Own,
        Ok(Said::Id(id)) if !named && !files.is_empty() => Disk::Copied { id, files },
        _ if named => Disk::Unknown(Vec::new()),
        _ => Disk::Unknown(files),
    }
}

/// As whom the ledger knows this node, where it is still in that role.
pub(super) fn remembered(settings: &settings::K2hr3) -> Option<Joined> {
    let role = settings.role.clone().or_else(|| role(settings).ok())?;
    let joined = Store::peek(&settings.places.state, 1).ledger().joined.clone();
    joined.filter(|joined| joined.role == role.to_string())
}

/// The file of K2HR3's user-data with the CUK.
pub(super) fn own_file(settings: &settings::K2hr3) -> PathBuf {
    settings.places.userdata().join(BOUND_TO_CUK[0])
}

fn goes_on(instance: &Path, said: &Said, known: &Joined) -> Result<Found, String> {
    let cuk = Cuk::try_from(known.cuk.as_str()).map_err(|error| format!("the ledger: {error}"))?;
    let has = match said {
        Said::Fallback(text) => format!("has {text}, as on every VM without a datasource"),
        Said::Nothing | Said::Id(_) => "names no instance".to_owned(),
    };
    let text = format!(
        "{} {has}: this node keeps the CUK under which it joined, {cuk}; 'cloud-init status --long' shows the datasource",
        instance.display()
    );
    Ok(Found { cuk, note: Some(text) })
}

fn unusable(path: &Path, text: &str) -> String {
    format!(
        "{} has {text}, which is no identity: cloud-init calls every VM so that has no datasource; 'cloud-init status \
         --long' shows the datasource; or set k2hr3.cuk",
        path.display()
    )
}

fn said(path: &Path) -> Result<Said, String> {
    Ok(match first_line(path)? {
        None => Said::Nothing,
        Some(text) if FALLBACKS.iter().any(|known| known.eq_ignore_ascii_case(&text)) => Said::Fallback(text),
        Some(text) => Said::Id(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Origin, Settings};

    const ROLE: &str = "yrn:yahoo:::t:role:c/server";

    /// A host whose files say this, and whose ledger knows it as that member.
    fn host(own: &str, instance: &str, joined: Option<&str>) -> (tempfile::TempDir, Settings) {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            crate::file::ensure_directory(path.parent().unwrap(), 0o755).unwrap();
            crate::file::store(&path, text.as_bytes()).unwrap();
        };
        put("etc/antpickax/k2hr3-role-name", ROLE);
        put("etc/antpickax/k2hr3-cuk", own);
        put("var/lib/cloud/data/instance-id", instance);
        let origin = Origin { config: None, root: Some(root.path().to_owned()) };
        let settings = settings::load(&origin).unwrap();
        if let Some(cuk) = joined {
            let joined = Joined { role: ROLE.into(), cuk: cuk.into() };
            let mut store = Store::open(&settings.state.directory, 1).unwrap();
            store.update(|ledger| ledger.joined = Some(joined)).unwrap();
        }
        (root, settings)
    }

    fn found(own: &str, instance: &str, joined: Option<&str>) -> Result<(String, bool), String> {
        let (_root, settings) = host(own, instance, joined);
        find(&settings.k2hr3).map(|found| (found.cuk.to_string(), found.note.is_some()))
    }

    #[test]
    fn a_fallback_of_cloud_init_is_no_identity_and_the_cuk_that_the_ledger_knows_stays() {
        for fallback in FALLBACKS.iter().chain(&["NoCloud", "IID-datasource-NONE", ""]) {
            let stays = Ok(("c1".to_owned(), true));
            assert_eq!(found("", fallback, Some("c1")), stays, "{fallback}");
            assert_eq!(found(fallback, fallback, Some("c1")), stays, "{fallback}");
            let error = found("", fallback, None).unwrap_err();
            let said =
                if fallback.is_empty() { "waiting for " } else { "which is no identity: cloud-init calls" };
            assert!(error.contains(said) && error.contains("instance-id"), "{error}");
        }
        assert_eq!(found("c1", "nocloud", None), Ok(("c1".into(), false)), "the user-data knows better");
        assert_eq!(found("nocloud", "i-7", None), Ok(("i-7".into(), false)));
        assert_eq!(found("nocloud", "i-7", Some("c1")), Ok(("c1".into(), true)), "a member stays who it is");
    }

    #[test]
    fn the_note_names_the_file_without_the_instance() {
        for (own, instance, file) in [("nocloud", "i-7", "k2hr3-cuk"), ("", "nocloud", "data/instance-id")] {
            let (_root, settings) = host(own, instance, Some("c1"));
            let note = find(&settings.k2hr3).ok().and_then(|found| found.note).unwrap();
            assert!(note.contains(&format!("{file} has nocloud, as on every VM")), "{note}");
        }
        let (_root, settings) = host("", "", Some("c1"));
        let note = find(&settings.k2hr3).ok().and_then(|found| found.note).unwrap();
        assert!(note.contains("data/instance-id names no instance"), "{note}");
    }

    #[test]
    fn an_instance_id_is_the_host_s_own_whatever_the_ledger_of_a_copied_disk_knows() {
        assert_eq!(found("", "i-7", Some("c1")), Ok(("i-7".into(), false)));
        assert_eq!(
            found("", "iid-local01", Some("c1")),
            Ok(("iid-local01".into(), false)),
            "somebody wrote it"
        );
    }

    #[test]
    fn what_the_ledger_knows_of_another_role_says_nothing() {
        let (root, settings) = host("", "nocloud", Some("c1"));
        let path = root.path().join("etc/antpickax/k2hr3-role-name");
        crate::file::store(&path, b"yrn:yahoo:::t:role:d/server").unwrap();
        assert!(find(&settings.k2hr3).is_err());
    }

    #[test]
    fn a_disk_is_a_copy_where_cloud_init_calls_its_vm_otherwise_than_its_files() {
        let of = |own: &str, instance: &str| {
            let (root, settings) = host(own, instance, None);
            let cuk = root.path().join("etc/antpickax/k2hr3-cuk");
            (disk(&settings.k2hr3, "c1"), cuk)
        };
        assert_eq!(of("c1", "c1").0, Disk::Own);
        let (disk, cuk) = of("c1", "i-7");
        assert_eq!(disk, Disk::Copied { id: "i-7".into(), files: vec![cuk] });
        let (disk, cuk) = of("c1", "nocloud");
        assert_eq!(disk, Disk::Unknown(vec![cuk]));
    }
}
