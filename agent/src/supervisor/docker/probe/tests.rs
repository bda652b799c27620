use std::process::{Command, Stdio};

use super::*;

const INI: &str = "/etc/antpickax/k2hdkc.ini";

/// Printed by a look in the container `database` of world B.
const PRINTED: &[u8] =
    b"process 61 (chmpx) S 43 1 1 0 -1 4194560 1066 0 0 0 150 50 0 0 20 0 9 0 1234500 9 9 1 1\n\
words /usr/bin/chmpx -conf /etc/antpickax/k2hdkc.ini -d err \n\
process 90 (chmpx) S 43 1 1 0 -1 4194560 1066 0 0 0 1 1 0 0 20 0 9 0 1234600 9 9 1 1\n\
words chmpx -conf /tmp/other.ini \n\
process 77 (k2hdkc) S 50 1 1 0 -1 4194560 1066 0 0 0 0 0 0 0 20 0 9 0 1234700 9 9 1 1\n\
words /usr/bin/k2hdkc -conf /etc/antpickax/k2hdkc.ini \n\
process 78 (k2hdkc) Z 50 1 1 0 -1 4194560 1066 0 0 0 0 0 0 0 20 0 9 0 1234700 9 9 1 1\n\
words \n\
uptime 12355.00 9.00\n\
user 1001 1001\n\
override k2hr3-get-resource-helper.conf:OUTPUT_FILE              = k2hdkc.ini\n\
override chmpx-service-helper.conf:CHMPX_INI_CONF_FILE           = k2hdkc.ini\n\
\n\
ini\n\
[GLOBAL]\nini\nuptime 1\n";

#[test]
fn a_look_tells_the_processes_of_this_ini_its_bytes_and_what_the_loop_writes() {
    let inside = read(PRINTED, INI).unwrap();
    let found = |program, pid, ticks, age, worked| Found {
        program,
        id: ProcessId { pid, start_ticks: ticks },
        age: Duration::from_secs(age),
        worked: Duration::from_millis(worked),
    };
    assert_eq!(
        inside,
        Probe {
            processes: vec![
                found(Program::Chmpx, 61, 1_234_500, 10, 2000),
                found(Program::K2hdkc, 77, 1_234_700, 8, 0),
            ],
            user: (1001, 1001),
            output: Some("k2hdkc.ini".into()),
            ini: Some(b"[GLOBAL]\nini\nuptime 1\n".to_vec()),
        }
    );
    assert!(inside.is_rewritten(INI));
}

#[test]
fn the_last_line_of_override_conf_wins_and_no_such_file_is_told_from_an_empty_one() {
    let printed = |overrides: &str| format!("uptime 1.0 1\nuser 0 0\n{overrides}");
    let read = |overrides: &str| read(printed(overrides).as_bytes(), INI).unwrap();
    let shadowed = read(&format!("override {OUTPUT_KEY}=k2hdkc.ini\noverride {SHADOW}\n\n"));
    assert_eq!(shadowed.output.as_deref(), Some(".shadow.ini"));
    assert!(!shadowed.is_rewritten(INI));
    assert_eq!(read("override \n").output.as_deref(), Some(""));
    let bare = read("");
    assert_eq!((bare.output.clone(), bare.ini.clone(), bare.is_rewritten(INI)), (None, None, true));
    assert!(read(&format!("override {OUTPUT_KEY} = {INI}\n")).is_rewritten(INI));
}

#[test]
fn what_is_no_look_is_not_taken_for_an_empty_one() {
    for printed in
        ["", "sh: cat: not found\n", "uptime \nuser 0 0\n", "uptime 1.0 2\n", "uptime 1.0 2\nuser x y\n"]
    {
        assert_eq!(read(printed.as_bytes(), INI), None, "{printed:?}");
    }
}

fn run(words: &[String]) -> (bool, Vec<u8>) {
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    (output.status.success(), output.stdout)
}

#[test]
fn the_shell_says_what_is_read_here() {
    let dir = tempfile::tempdir().unwrap();
    let ini = dir.path().join("k2hdkc.ini").display().to_string();
    crate::file::store(dir.path().join("k2hdkc.ini").as_path(), b"[GLOBAL]\n").unwrap();
    crate::file::store(dir.path().join("override.conf").as_path(), b"# none").unwrap();
    let (well, printed) = run(&look(&ini));
    let inside = read(&printed, &ini).unwrap();
    assert!(well);
    assert_eq!(inside.ini.as_deref(), Some(&b"[GLOBAL]\n"[..]));
    assert_eq!(inside.user.0, u64::from(nix::unistd::geteuid().as_raw()));
    assert!(inside.is_rewritten(&ini), "{inside:?}");
    assert!(run(&take_over(&ini)).0);
    let text = String::from_utf8(crate::file::read(&dir.path().join("override.conf")).unwrap()).unwrap();
    assert_eq!(text, format!("# none\n{SHADOW}\n"));
    let (_, printed) = run(&look(&ini));
    assert!(!read(&printed, &ini).unwrap().is_rewritten(&ini));
}

#[test]
fn only_the_very_process_is_signalled() {
    let dir = tempfile::tempdir().unwrap();
    // Its name is the file's.
    let program = dir.path().join("chmpx");
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    let mut child = Command::new(&program).arg("60").stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let id = process(stat().trim(), 0.0).map(|found| found.id).unwrap();
    let another = ProcessId { start_ticks: id.start_ticks + 1, ..id };
    assert!(run(&signal(Program::Chmpx, another, "KILL")).0);
    assert!(run(&signal(Program::K2hdkc, id, "KILL")).0);
    assert!(matches!(child.try_wait(), Ok(None)), "neither another start nor another name is this one");
    assert!(run(&signal(Program::Chmpx, id, "KILL")).0);
    assert!(!child.wait().unwrap().success());
    assert!(run(&signal(Program::Chmpx, id, "KILL")).0, "one that is gone is no error");
}

#[test]
fn an_indirect_output_file_is_followed_or_told() {
    let printed = format!("uptime 1.0 1\nuser 0 0\noverride {OUTPUT_KEY} = custom.conf:OUT\n");
    assert!(read(printed.as_bytes(), INI).unwrap().is_rewritten(INI), "custom.conf may say k2hdkc.ini");
}
