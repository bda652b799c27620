//! Requests to a program that is continued, held by a real process.

use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k2hdkc_agent::supervisor::ProcessId;
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::node::wait_for;
use nix::mqueue::{MQ_OFlag, MqAttr, MqdT, mq_getattr, mq_open, mq_receive, mq_send, mq_unlink};
use nix::sys::stat::Mode;

use super::{LONG, PATIENCE, SHORT, block_on, freezer, identity, is_alive};

/// A holder takes from every queue of this process, also from that of another test.
static ALONE: Mutex<()> = Mutex::new(());

/// A queue that this process reads, as chmpx does.
struct Requests {
    _alone: MutexGuard<'static, ()>,
    name: String,
    reader: MqdT,
    writer: MqdT,
}

impl Requests {
    fn new(name: &str) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("/k2hdkc-freezing-{name}-{}", std::process::id());
        let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDONLY | MQ_OFlag::O_NONBLOCK;
        let (mode, shape) = (Mode::S_IRUSR | Mode::S_IWUSR, MqAttr::new(0, 10, 8, 0));
        let reader = mq_open(name.as_str(), flags, mode, Some(&shape)).unwrap();
        let writer = mq_open(name.as_str(), MQ_OFlag::O_WRONLY, Mode::empty(), None).unwrap();
        Self { _alone: alone, name, reader, writer }
    }

    fn ask(&self, text: &str) {
        mq_send(&self.writer, text.as_bytes(), 1).unwrap();
    }

    /// Returns the number of requests that wait.
    fn waiting(&self) -> i64 {
        mq_getattr(&self.reader).unwrap().curmsgs()
    }

    fn read(&self) -> Vec<String> {
        let read = || {
            let mut bytes = vec![0; 8];
            let length = mq_receive(&self.reader, &mut bytes, &mut 0).ok()?;
            Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
        };
        std::iter::from_fn(read).collect()
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        mq_unlink(self.name.as_str()).unwrap();
    }
}

fn own() -> ProcessId {
    identity(std::process::id())
}

#[test]
fn requests_are_held_until_their_release_and_come_in_their_order() {
    let requests = Requests::new("release");
    requests.ask("before");
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        let holder = freezer(directory.path()).hold(own(), LONG).await.unwrap();
        assert_eq!(requests.waiting(), 0, "it waited before");
        requests.ask("behind");
        assert!(wait_for(PATIENCE, || requests.waiting() == 0));
        drop(holder);
    });
    assert!(wait_for(PATIENCE, || requests.waiting() == 2));
    assert_eq!(requests.read(), ["before", "behind"]);
}

#[test]
fn a_holder_without_an_agent_and_one_past_its_limit_give_everything_back() {
    let requests = Requests::new("killed");
    let own = own();
    let hold = format!(
        "exec {} hold --pid {} --start-ticks {} --for",
        binaries::agent().unwrap().display(),
        own.pid,
        own.start_ticks
    );
    // The input of the holder ends with the process that writes it, however that one ends.
    let mut agent = std::process::Command::new("sleep").arg("600").stdout(Stdio::piped()).spawn().unwrap();
    let input = agent.stdout.take().unwrap();
    let holder = |limit: Duration, input: Stdio| {
        let order = format!("{hold} {}ms", limit.as_millis());
        std::process::Command::new("sh")
            .args(["-c", &order])
            .stdin(input)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    requests.ask("one");
    let mut first = holder(LONG, input.into());
    assert!(wait_for(PATIENCE, || requests.waiting() == 0));
    let alive = identity(first.id());
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(wait_for(PATIENCE, || requests.waiting() == 1));
    assert!(first.wait().unwrap().success() && !is_alive(alive));
    let mut second = holder(SHORT, Stdio::piped());
    assert!(wait_for(PATIENCE, || requests.waiting() == 0));
    assert!(wait_for(PATIENCE, || requests.waiting() == 1));
    assert!(second.stdin.is_some() && second.wait().unwrap().success());
    assert_eq!(requests.read(), ["one"]);
}

#[test]
fn nothing_is_held_for_a_process_that_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let gone = ProcessId { start_ticks: own().start_ticks - 1, ..own() };
    let failed = block_on(freezer(directory.path()).hold(gone, LONG)).unwrap_err();
    assert!(failed.to_string().contains(&gone.pid.to_string()), "{failed}");
}
