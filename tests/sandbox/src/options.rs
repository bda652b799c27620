//! The command line of `k2hdkc-sandbox`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

const AFTER_HELP: &str = "\
It starts a K2HR3 simulator and nodes, each with a real `k2hdkc-agent run` process, a root directory and an address in
127.0.0.0/8, and with simulators of chmpx and k2hdkc. Nothing outside those directories is touched, and no root rights
are needed.

With --real the programs are chmpx, k2hdkc, chmpxstatus and k2hdkclinetool from PATH, and each node is a set of Linux
namespaces on a bridge, all of them inside a namespace of their own. That needs root, ip, unshare and nsenter. With
--merges-by chmpx the real servers lose sight of keys whenever one comes or goes (docs/facts.md, D9 to D11): those are
counted as lost.

One row an event is printed, then the verdict and the name of a report with everything else. A failed run leaves the
nodes' directories beside the report.

Exit status: 0 the verdict is good; 1 something failed; 130 interrupted.";

/// Runs a whole K2HDKC cluster on this machine, scales it, kills processes, and measures what came of it.
#[derive(Debug, Clone, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of a command line")]
#[command(name = "k2hdkc-sandbox", after_help = AFTER_HELP)]
pub struct Options {
    /// Server nodes to start with
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=40))]
    pub servers: u8,
    /// Slave nodes to start with
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=40))]
    pub slaves: u8,
    /// A few events of each kind only, in about half of the time
    #[arg(long)]
    pub short: bool,
    /// The sick answers of K2HR3 as well, thirty-two of them
    #[arg(long)]
    pub sick: bool,
    /// Hand that runs the merges of the ring. With agents each key is on two servers, with chmpx on all: it loses sight of
    /// keys otherwise
    #[arg(long, value_name = "HAND", value_enum, default_value_t = MergesBy::Agents)]
    pub merges_by: MergesBy,
    /// Lines instead of the live table, also on a terminal
    #[arg(long)]
    pub plain: bool,
    /// Leave everything running after the verdict, and print how to play with it, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Keep the nodes' directories here, logs included [default: a temporary directory, which only the report outlives]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Real chmpx and k2hdkc instead of simulators
    #[arg(long)]
    pub real: bool,
    /// This process is the first one of the namespaces of `--real`.
    #[arg(long, hide = true)]
    pub(super) as_hub: bool,
    /// This process only holds the namespaces of the node with this directory.
    #[arg(long, hide = true, value_name = "ROOT")]
    pub(super) as_node: Option<PathBuf>,
}

/// Hand that runs the merges of the ring (`merge.by`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MergesBy {
    /// The agents, by their own protocol.
    Agents,
    /// chmpx, by AUTOMERGE.
    Chmpx,
}

impl MergesBy {
    /// The word of the settings, and of the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Chmpx => "chmpx",
        }
    }
}

impl Options {
    /// The command line of the same run inside the namespaces of `--real`.
    pub(super) fn as_hub(&self, home: &Path) -> Vec<OsString> {
        let numbers = [("--servers", self.servers), ("--slaves", self.slaves)];
        let flags =
            [("--short", self.short), ("--sick", self.sick), ("--plain", self.plain), ("--keep", self.keep)];
        let mut words = vec!["--real".to_owned(), "--as-hub".to_owned()];
        words.extend(numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]));
        words.extend(flags.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| (*name).to_owned()));
        words.extend(["--merges-by".to_owned(), self.merges_by.word().to_owned()]);
        let words = words.into_iter().map(OsString::from);
        words.chain(["--dir".into(), home.as_os_str().to_owned()]).collect()
    }

    /// The command line of a process that holds the namespaces of a node.
    pub(super) fn as_node(root: &Path) -> [OsString; 2] {
        ["--as-node".into(), root.as_os_str().to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_inside_has_the_same_options() {
        let outside = [
            "k2hdkc-sandbox",
            "--real",
            "--servers",
            "4",
            "--short",
            "--sick",
            "--plain",
            "--merges-by",
            "chmpx",
        ];
        let outside = Options::try_parse_from(outside).unwrap();
        let words = outside.as_hub(Path::new("/tmp/x"));
        let inside = Options::try_parse_from([vec!["k2hdkc-sandbox".into()], words].concat()).unwrap();
        assert!(inside.real && inside.as_hub && inside.short && inside.sick && inside.plain && !inside.keep);
        assert_eq!((inside.servers, inside.slaves, inside.dir), (4, 2, Some("/tmp/x".into())));
        assert_eq!(inside.merges_by, MergesBy::Chmpx);
    }
}
