//! The replacement of the live file, seen from outside while it happens a thousand times: by a watch like chmpx's,
//! by a watch on the directory, and by a reader that never stops.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod observers;

use std::fs::{self, File};
use std::time::Duration;

use k2hdkc_agent::file::beside;
use k2hdkc_simulators::node::{FILE_SOURCE, Node, Plan, wait_for};
use nix::sys::inotify::AddWatchFlags;
use observers::{Chmpx, Directory, Reader};

const CHANGES: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(10);

/// Every change is installed by itself: nothing rests, a removal is believed at once, and the file source is read
/// as soon as it is replaced.
const CONFIG: &str = "\
[poll]
interval = \"60s\"
settle = \"1ms\"
max-settle = \"1ms\"
[guard]
removal-polls = 1
removal-for = \"0ms\"
";

/// The ring of the `change`-th change: slaves come and go every time, and a timeout says which change it is.
fn source(change: u32) -> String {
    let slaves: String = (31..=31 + change % 5).map(slave).collect();
    format!(
        "[GLOBAL]\nFILEVERSION = 1\nDATE = x\nGROUP = g\nMODE = SERVER\nCHMPXIDTYPE = CUSTOM\nDELIVERMODE = hash\n\
         MAXCHMPX = 256\nREPLICA = 1\nPORT = 8020\nCTLPORT = 8021\nSELFCTLPORT = 8021\nSELFCUK = cuk-11\nRETRYCNT = {}\n\
         [SVRNODE]\nNAME = 127.0.0.11\nCUK = cuk-11\nCUSTOM_ID_SEED = vm11\n\
         [SVRNODE]\nNAME = 127.0.0.12\nCUK = cuk-12\nCUSTOM_ID_SEED = vm12\n\
         {slaves}[K2HDKC]\nK2HTYPE = mem\n",
        1000 + change
    )
}

fn slave(number: u32) -> String {
    format!(
        "[SLVNODE]\nNAME = 127.0.0.{number}\nCTLPORT = 8031\nCUK = cuk-{number}\nCUSTOM_ID_SEED = vm{number}\n"
    )
}

/// Reads back what [`source`] put into the live file.
fn change_in(text: &str) -> Option<u32> {
    let value = text.lines().find_map(|line| line.strip_prefix("RETRYCNT = "))?;
    value.parse::<u32>().ok()?.checked_sub(1000)
}

fn node(root: &std::path::Path) -> Node {
    let plan = Plan {
        api_uri: "http://127.0.0.1:1".to_owned(),
        role: "yrn:yahoo:::t:role:g/server".to_owned(),
        token: None,
        address: "127.0.0.11".to_owned(),
        cuk: "cuk-11".to_owned(),
        config: CONFIG.to_owned(),
    };
    let mut node = Node::new(root, plan).unwrap();
    node.write("etc/k2hdkc-agent/conf.d/10-source.toml", FILE_SOURCE).unwrap();
    node.give(&source(0)).unwrap();
    node.start().unwrap();
    assert!(wait_for(PATIENCE, || node.fileversion() == 1), "no first file: {}", node.log());
    node
}

/// The second holder of the old inode while it is replaced.
#[derive(Debug)]
enum Holder {
    Nobody,
    OpenFile { _file: File },
    HardLink { path: std::path::PathBuf },
}

impl Holder {
    /// Each kind in turn.
    fn take(node: &Node, change: u32) -> Self {
        match change % 3 {
            0 => Self::Nobody,
            1 => Self::OpenFile { _file: File::open(node.ini()).unwrap() },
            _ => {
                let path = node.root().join(format!("backup-{change}.ini"));
                fs::hard_link(node.ini(), &path).unwrap();
                Self::HardLink { path }
            }
        }
    }

    fn release(self, change: u32) {
        if let Self::HardLink { path } = self {
            let kept = fs::read_to_string(&path).unwrap();
            assert_eq!(change_in(&kept), Some(change - 1), "a backup is not written through");
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn a_thousand_replacements_are_each_heard_whole_and_never_seen_half() {
    let root = tempfile::tempdir().unwrap();
    let mut node = node(root.path());
    let ini = node.ini();
    let mut chmpx = Chmpx::watch(&ini);
    let directory = Directory::watch(ini.parent().unwrap());
    let reader = Reader::start(&ini);

    for change in 1..=CHANGES {
        let holder = Holder::take(&node, change);
        node.give(&source(change)).unwrap();
        let heard =
            chmpx.next_reload(PATIENCE).unwrap_or_else(|error| panic!("{holder:?}: {error}\n{}", node.log()));
        // A spare replacement would come as a reload that shows the same change again.
        assert_eq!((change_in(&heard.text), heard.fileversion), (Some(change), change + 1), "{holder:?}");
        holder.release(change);
    }

    node.stop().unwrap();
    assert_eq!(chmpx.pending(), [] as [AddWatchFlags; 0], "every replacement is one reload");
    let seen = reader.finish().unwrap();
    assert!(seen.reads > 2 * u64::from(CHANGES), "{seen:?}");
    assert_eq!((seen.last, seen.fell), (CHANGES + 1, 0), "{seen:?}");
    assert!(seen.versions > CHANGES / 10, "the reader reads beside the replacements: {seen:?}");
    directory.assert_only_exchanged("k2hdkc.ini", CHANGES);
    let last = fs::read_to_string(beside(&ini)).unwrap();
    assert_eq!(change_in(&last), Some(CHANGES - 1), "the old content stands under the other name");
}

#[test]
fn a_file_of_another_hand_is_heard_by_the_same_watches() {
    // What the suite rests on: these observers do see a writer that works in place, and a file that is away.
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("k2hdkc.ini");
    let good = source(0);
    put(&path, &good);
    let mut chmpx = Chmpx::watch(&path);
    let directory = Directory::watch(root.path());
    let reader = Reader::start(&path);
    put(&path, "[GLOBAL]\n");
    let failed = wait_for(PATIENCE, || reader.has_failed());
    assert!(failed, "the reader saw nothing");
    assert!(reader.finish().unwrap_err().contains("chmpx would refuse it"));
    assert!(chmpx.next_reload(PATIENCE).unwrap_err().contains("IN_MODIFY"));
    fs::remove_file(&path).unwrap();
    let events = directory.events("k2hdkc.ini");
    assert!(events.iter().any(|mask| mask.contains(AddWatchFlags::IN_MODIFY)), "{events:?}");
    assert!(events.iter().any(|mask| mask.contains(AddWatchFlags::IN_DELETE)), "{events:?}");
}

fn put(path: &std::path::Path, text: &str) {
    use std::io::Write as _;
    let mut file = File::options().write(true).create(true).truncate(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
