//! `chmpxstatus`: prints what the shared memory shows, without a word to chmpx.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::config::Config;
use super::own::Identity;
use super::picture::{Picture, Sockets, socket};
use super::row::Row;
use super::shm;
use crate::simulators::arguments::{Arguments, Wait};
use crate::simulators::log::say;
use crate::simulators::place::Place;

/// Runs it to its end. Exit code 1 means that chmpx does not run, that the file does not load, or that the wait was vain.
pub fn run(arguments: &Arguments, place: &Place) -> ExitCode {
    if let Some(wait) = &arguments.wait {
        let came = wait_for(arguments, place, wait);
        say(if came { "SUCCEED" } else { "FAILED" });
        return if came { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match look(arguments, place) {
        Ok(picture) if arguments.only_self => {
            say(own(&picture).trim_end_matches('\n'));
            ExitCode::SUCCESS
        }
        Ok(picture) => {
            say(all(&picture).trim_end_matches('\n'));
            ExitCode::SUCCESS
        }
        Err(text) => {
            say(&format!("ERROR: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn look(arguments: &Arguments, place: &Place) -> Result<Picture, String> {
    let identity = Identity::of(arguments);
    let config = Config::load(Path::new(&arguments.conf), &identity).map_err(|error| error.to_string())?;
    let path = shm::path(place, config.group(), identity.ctlport(&config.ring));
    shm::read(&path).map_err(|error| error.to_string())
}

fn wait_for(arguments: &Arguments, place: &Place, wait: &Wait) -> bool {
    let end = wait.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    loop {
        let picture = look(arguments, place).ok();
        if is_so(picture.as_ref(), wait) {
            return true;
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return false;
        }
        pause();
    }
}

/// LIVE, RING and SUSPEND are compared, and nothing else: a server that is being added counts as in service.
fn is_so(picture: Option<&Picture>, wait: &Wait) -> bool {
    let Some(status) = picture.map(|picture| picture.own.status) else {
        return wait.live.as_deref() == Some("down");
    };
    let live = wait.live.as_deref().is_none_or(|live| (live == "up") == status.is_up());
    let ring = wait.ring.as_deref().is_none_or(|ring| match ring {
        "servicein" => status.is_in(),
        "serviceout" => status.is_out(),
        _ => !status.is_in() && !status.is_out(),
    });
    live && ring && wait.suspend.is_none_or(|suspend| suspend == status.is_suspended())
}

#[expect(clippy::disallowed_methods, reason = "a program that does nothing else than wait")]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

fn own(picture: &Picture) -> String {
    let text = row(picture, &picture.own, "  ");
    // With -self four of the lines are indented further.
    let further = [
        "  cuk ",
        "  custom id seed ",
        "  endpoints ",
        "  control endpoints ",
        "  forward peers ",
        "  reverse peers ",
    ];
    let line = |line: &str| {
        let deeper = further.iter().any(|start| line.starts_with(start));
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if deeper {
            format!("  {}={value}\n", name.strip_suffix("  ").unwrap_or(name))
        } else {
            format!("{line}\n")
        }
    };
    text.lines().map(line).collect()
}

fn all(picture: &Picture) -> String {
    [facts(picture), ring(picture), queues(picture)].concat()
}

fn facts(picture: &Picture) -> String {
    let yes = |truth: bool| if truth { "yes" } else { "no" };
    let number = |key: &str| picture.number(key).to_string();
    let queues = picture.number("MAXMQSERVER") + picture.number("MAXMQCLIENT");
    let lines = [
        ("chmpx process id", picture.pid.to_string()),
        ("process start time", format!("{} (unix time)", picture.start_time)),
        ("chmpx shared memory file path", picture.shm.clone()),
        ("chmpx shared memory file size", "6923992 (byte)".to_owned()),
        ("chmpx info structure version", "CHMINFO_VERSION 1.1".to_owned()),
        ("chmpx info structure size", "34704 (byte)".to_owned()),
        ("k2hash file path", picture.k2h.clone()),
        ("k2hash full mapping", picture.word("K2HFULLMAP", "yes", "no").to_owned()),
        ("k2hash mask bit count", number("K2HMASKBIT")),
        ("k2hash collision mask bit count", number("K2HCMASKBIT")),
        ("k2hash maximum element count", number("K2HMAXELE")),
        ("random mode", yes(picture.is_random()).to_owned()),
        ("communication history count", number("MAXHISTLOG")),
        ("auto merge", yes(picture.automerge).to_owned()),
        ("suspend auto merge", yes(picture.suspended).to_owned()),
        ("merge processing(do merge)", picture.word("DOMERGE", "yes", "no").to_owned()),
        ("SSL/TLS minimum version", "(default)".to_owned()),
        ("NSSDB directory path", picture.settings.get("NSSDB_DIR").cloned().unwrap_or_default()),
        ("timeout for merge", format!("{} (s)", number("MERGETIMEOUT"))),
        ("thread count for socket", number("SOCKTHREADCNT")),
        ("thread count for MQ", number("MQTHREADCNT")),
        ("maximum socket count per chmpx(socket pool)", number("MAXSOCKPOOL")),
        ("timeout for socket pool", format!("{} (s)", number("SOCKPOOLTIMEOUT"))),
        ("retry count on socket", number("RETRYCNT")),
        ("timeout for send/receive on socket", format!("{} (us)", number("RWTIMEOUT"))),
        ("timeout for connect on socket", format!("{} (us)", number("CONTIMEOUT"))),
        ("timeout for send/receive on socket", format!("{} (us)", number("MQRWTIMEOUT"))),
        ("maximum MQ count", queues.to_string()),
        ("chmpx process MQ count", number("MAXMQSERVER")),
        ("maximum queue per chmpx process MQ", number("MAXQPERSERVERMQ")),
        ("maximum queue per client process MQ", number("MAXQPERCLIENTMQ")),
        ("maximum MQ per client process", number("MAXMQPERCLIENT")),
        ("maximum MQ per attach", number("MQPERATTACH")),
        ("using MQ ACK", picture.word("MQACK", "yes", "no").to_owned()),
        ("retry count on MQ", number("MQRETRYCNT")),
        ("base msgid", format!("{:#018x}", picture.own.id & 0xffff_ffff_0000_0000)),
    ];
    lines.map(|(name, value)| format!("{name:<44} = {value}\n")).concat()
}

fn ring(picture: &Picture) -> String {
    let rows = |rows: &[Row]| -> String {
        let one =
            |(index, one): (usize, &Row)| format!("  [{index}] = {{\n{}  }}\n", row(picture, one, "    "));
        rows.iter().enumerate().map(one).collect()
    };
    let lines = [
        ("chmpx name", picture.group.clone()),
        ("configuration file version", picture.fileversion.to_string()),
        ("configuration file date", format!("{} (unix time)", picture.date)),
        ("replication count", picture.replicas.to_string()),
        ("maximum chmpx count", picture.number("MAXCHMPX").to_string()),
        ("base hash count", picture.base.len().to_string()),
        ("now operating", if picture.is_operating() { "yes" } else { "no" }.to_owned()),
        ("last using random chmpxid", "0xffffffffffffffff".to_owned()),
    ];
    format!(
        "\n{}self chmpx = {{\n{}}}\nserver chmpxs [ {} ] = {{\n{}}}\nslave chmpxs [ {} ] = {{\n{}}}\n{}{}\
         free chmpx area count                        = {}\nfree sock area count                         = 1021\n",
        lines.map(|(name, value)| format!("{name:<44} = {value}\n")).concat(),
        row(picture, &picture.own, "  "),
        picture.servers.len(),
        rows(&picture.servers),
        picture.slaves.len(),
        rows(&picture.slaves),
        stat("server stat"),
        stat("slave stat"),
        picture.free
    )
}

/// Traffic is not counted.
fn stat(name: &str) -> String {
    let counts = ["total send message count", "total receive message count"].map(|name| (name, "0"));
    let sizes = ["total body size", "minimum body size", "maximum body size"].map(|name| (name, "0 (bytes)"));
    let times = ["total elapsed time", "minimum elapsed time", "maximum elapsed time"];
    let times = times.map(|name| (name, "0ms 0us 0ns (0ns)"));
    let lines = counts.into_iter().chain(sizes).chain(times);
    let lines: String = lines.map(|(name, value)| format!("    {name:<40} = {value}\n")).collect();
    format!("{name} = {{\n{lines}}}\n")
}

fn row(picture: &Picture, row: &Row, indent: &str) -> String {
    let (base, pending) = picture.slots(row);
    let Sockets { peer, own, control } = picture.sockets(row);
    let [endpoints, ctlendpoints, forward, reverse] = row.lists.clone();
    let lines = [
        ("chmpxid", format!("{:#018x}", row.id)),
        ("hostname", row.name.clone()),
        ("mode", if row.port < 0 { "slave" } else { "server" }.to_owned()),
        ("base hash", format!("{base:#018x}")),
        ("pending hash", format!("{pending:#018x}")),
        ("port", row.port.to_string()),
        ("control port", row.ctlport.to_string()),
        ("cuk", row.cuk.clone()),
        ("custom id seed", row.seed.clone()),
        ("endpoints", endpoints),
        ("control endpoints", ctlendpoints),
        ("forward peers", forward),
        ("reverse peers", reverse),
        ("ssl", if row.ssl { "yes" } else { "no" }.to_owned()),
        ("sockets", peer.map(|number| number.to_string()).unwrap_or_default()),
        ("listen socket", socket(own)),
        ("control socket", "-1".to_owned()),
        ("listen control socket", socket(control)),
        ("last status update time", format!("{} (unix time)", Picture::moment(row.stamp))),
        ("status", row.status.to_string()),
    ];
    let width = 44 - indent.len();
    lines.map(|(name, value)| format!("{indent}{name:<width$} = {value}\n")).concat()
}

fn queues(picture: &Picture) -> String {
    let base = picture.own.id & 0xffff_ffff_0000_0000;
    let count = u64::try_from(picture.number("MAXMQSERVER")).unwrap_or_default();
    let queue = |index: u64, number: u64, pid: u32, flag: &str| {
        let lines = [
            ("msgid", format!("{:#018x}", base + number)),
            ("flag", flag.to_owned()),
            ("pid", pid.to_string()),
        ];
        let lines = lines.map(|(name, value)| format!("    {name:<40} = {value}\n")).concat();
        format!("  [{index}] = {{\n{lines}  }}\n")
    };
    let own: String = (0..count)
        .map(|index| queue(index, count - 1 - index, picture.pid, "[Assigned][Chmpx][Activated]"))
        .collect();
    let clients: String = (0..)
        .zip(&picture.clients)
        .map(|(index, pid)| queue(index, count + index, *pid, "[Assigned][Client][Activated]"))
        .collect();
    let joined: String = picture
        .clients
        .iter()
        .enumerate()
        .map(|(index, pid)| format!("  [{index}] pid                                   = {pid}\n"))
        .collect();
    let active = picture.clients.len();
    let free = usize::try_from(picture.number("MAXMQCLIENT")).unwrap_or_default().saturating_sub(active);
    format!(
        "\nchmpx using MQ [ {count} ] = {{\n{own}}}\nclient process using MQ [ {active} ] = {{\n{clients}}}\n\
         assigned MQ [ 0 ] = {{\n}}\nfree MQ                                      = {free}\n\
         last random msgid used by chmpx process      = 0xffffffffffffffff\n\
         last activated msgid                         = 0xffffffffffffffff\n\
         last assigned msgid                          = 0xffffffffffffffff\n\
         joining client process = {{\n{joined}}}\n"
    )
}
