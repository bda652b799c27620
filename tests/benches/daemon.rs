//! Measures the daemon's costs: CPU of an unchanged poll, memory, size, first question, a burst of changes. Prints
//! figures, judges nothing: `cargo bench`.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::binaries;
use k2hdkc_simulators::k2hr3::{Cluster, HostRecord, Lab, Options, STOCK_TEMPLATE, Server};
use k2hdkc_simulators::node::{Node, Plan, wait_for};

const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Server::start(([127, 0, 0, 1], 0).into(), Options::default()))?;
    let mut out = io::stdout();
    let size = fs::metadata(binaries::agent()?)?.len();
    writeln!(out, "binary                                       {:>8.2} MiB", mebibytes(size))?;
    for (nodes, source) in [(10, "resource"), (100, "resource"), (1000, "resource"), (1000, "membership")] {
        polls(&server, nodes, source, &mut out)?;
    }
    first_question(&server, &mut out)?;
    burst(&mut out)
}

fn cluster(server: &Server, name: &str, nodes: usize) -> (Lab, Cluster) {
    let lab = server.lab();
    // The stock template ends at 256 nodes.
    let template = STOCK_TEMPLATE.replace("MAXCHMPX            = 256", "MAXCHMPX            = 4096");
    let cluster = lab.create_cluster_with_template("bench", name, &template);
    for n in 0..nodes {
        let address = format!("127.{}.{}.{}", 1 + n / 62_500, n / 250 % 250, n % 250 + 1);
        let role = if n % 10 == 9 { &cluster.slave_role } else { &cluster.server_role };
        lab.register(role, HostRecord::openstack(&address, format!("cuk-{n}"), format!("vm{n}.example")));
    }
    (lab, cluster)
}

fn node(root: &Path, server: &Server, cluster: &Cluster, config: &str) -> io::Result<Node> {
    let plan = Plan {
        api_uri: server.uri(),
        role: cluster.server_role.clone(),
        token: Some(cluster.server_token.clone()),
        address: "127.1.0.1".to_owned(),
        cuk: "cuk-0".to_owned(),
        config: config.to_owned(),
    };
    Node::new(root, plan)
}

/// Unchanged polls, a hundred a second, and what each takes.
fn polls(server: &Server, nodes: usize, source: &str, out: &mut impl io::Write) -> io::Result<()> {
    const POLLS: usize = 300;
    let (lab, cluster) = cluster(server, &format!("{source}{nodes}"), nodes);
    let root = tempfile::tempdir()?;
    // A load of a million K2HR3 workers: the shortest interval whatever the answers cost.
    let config = format!(
        "[poll]\ninterval = \"10ms\"\nload = 1000000.0\njitter = 0.0\n[k2hr3]\nsource = \"{source}\"\n\
         [profile.global]\nMAXCHMPX = 4096\n"
    );
    let mut node = node(root.path(), server, &cluster, &config)?;
    node.start()?;
    expect(
        wait_for(PATIENCE, || node.ring().ok().flatten().is_some_and(|(ring, _)| ring.len() == nodes)),
        &node,
    )?;
    let pid = node.pid().unwrap_or_default();
    let asked = || lab.requests().iter().filter(|request| request.status == 304).count();
    lab.clear_requests();
    let (cpu, start) = (cpu(pid)?, Instant::now());
    // The membership source asks for both lists.
    let questions = if source == "membership" { 2 } else { 1 };
    expect(wait_for(Duration::from_secs(60), || asked() >= questions * POLLS), &node)?;
    let (polls, spent) = (asked() / questions, self::cpu(pid)?.saturating_sub(cpu));
    let each = spent.as_secs_f64() * 1000.0 / polls as f64;
    let (resident, anonymous, forks) = memory(pid)?;
    let seconds = start.elapsed().as_secs_f64();
    writeln!(
        out,
        "{nodes:>5} nodes, {source:<10}: CPU of an unchanged poll {each:>6.3} ms, resident / anonymous memory \
         {resident:>5.2} / {anonymous:.2} MiB  ({polls} polls in {seconds:.1} s, {forks} children)"
    )?;
    node.stop().map(drop)
}

/// From the start of the process to the first request at K2HR3.
fn first_question(server: &Server, out: &mut impl io::Write) -> io::Result<()> {
    let (lab, cluster) = cluster(server, "first", 3);
    let mut times = Vec::new();
    for _ in 0..11 {
        let root = tempfile::tempdir()?;
        let mut node = node(root.path(), server, &cluster, "")?;
        lab.clear_requests();
        let start = Instant::now();
        node.start()?;
        expect(wait_for(PATIENCE, || !lab.requests().is_empty()), &node)?;
        let first = lab.requests().first().map(|request| request.at.saturating_duration_since(start));
        times.push(first.unwrap_or_default());
        node.stop()?;
    }
    times.sort();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    writeln!(out, "start to first question, median / most         {:>6.1} / {:.1} ms", ms(median), ms(most))
}

/// 200 changes within 1.2 s through the file source.
fn burst(out: &mut impl io::Write) -> io::Result<()> {
    let root = tempfile::tempdir()?;
    let wanted = root.path().join("wanted.ini");
    let plan = Plan {
        api_uri: "http://127.0.0.1:9".to_owned(),
        role: "yrn:yahoo:::bench:role:burst/server".to_owned(),
        token: None,
        address: "127.1.0.1".to_owned(),
        cuk: "cuk-0".to_owned(),
        config: "[k2hr3]\nsource = \"file\"\nfile = \"/wanted.ini\"\n".to_owned(),
    };
    let mut node = Node::new(root.path(), plan)?;
    write(&wanted, 1)?;
    node.start()?;
    expect(wait_for(PATIENCE, || node.cuks(Mode::Server).len() == 1), &node)?;
    let before = node.ring()?.map_or(0, |(_, version)| version);
    let start = Instant::now();
    for servers in 2..=201 {
        write(&wanted, servers)?;
        let due = start + Duration::from_micros(6000 * (servers as u64 - 1));
        wait_for(due.saturating_duration_since(Instant::now()), || false);
    }
    let (changed, last) = (start.elapsed(), Instant::now());
    expect(wait_for(PATIENCE, || node.cuks(Mode::Server).len() == 201), &node)?;
    let after = node.ring()?.map_or(0, |(_, version)| version);
    writeln!(
        out,
        "burst: 200 changes in {:.2} s make {} replacements, the last one {:.0} ms after the last change",
        changed.as_secs_f64(),
        after - before,
        ms(last.elapsed())
    )?;
    node.stop().map(drop)
}

fn write(path: &Path, servers: usize) -> io::Result<()> {
    let mut text = String::from(
        "[GLOBAL]\nFILEVERSION = 1\nGROUP = burst\nMODE = SERVER\nCHMPXIDTYPE = CUSTOM\nDELIVERMODE = hash\n\
         PORT = 8020\nCTLPORT = 8021\nSELFCTLPORT = 8021\nSELFCUK = cuk-0\n",
    );
    for n in 0..servers {
        text.push_str(&format!(
            "[SVRNODE]\nNAME = 127.1.0.{}\nCUK = cuk-{n}\nCUSTOM_ID_SEED = vm{n}\n",
            n + 1
        ));
    }
    text.push_str("[SLVNODE]\nNAME = 127.0.0.1\nCUK = dummy_cuk\nCTLPORT = 8031\n[K2HDKC]\nK2HTYPE = mem\n");
    let next = path.with_extension("next");
    fs::File::options().write(true).create(true).truncate(true).open(&next)?.write_all(text.as_bytes())?;
    fs::rename(next, path)
}

/// CPU time of all threads of a process, to the nanosecond.
fn cpu(pid: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident and anonymous memory in MiB, and how many children the process ever waited for or has.
fn memory(pid: u32) -> io::Result<(f64, f64, usize)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = |key: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?.split_whitespace().count();
    Ok((kilobytes("VmRSS:") / 1024.0, kilobytes("RssAnon:") / 1024.0, children))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn expect(came: bool, node: &Node) -> io::Result<()> {
    if came { Ok(()) } else { Err(io::Error::other(format!("it did not happen in time: {}", node.log()))) }
}
