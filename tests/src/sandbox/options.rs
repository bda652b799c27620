//! The command line of `k2hdkc-sandbox`.

use std::path::PathBuf;

use clap::Parser;

const AFTER_HELP: &str = "\
It starts a K2HR3 simulator on a free port of 127.0.0.1 and one real `k2hdkc-agent run` process a node, each with
its own root directory and its own address in 127.0.0.0/8. Nothing outside those directories is touched, and no
root rights are needed.

The last line is the verdict. Exit status: 0 it is good; 1 something failed; 130 interrupted.";

/// Runs a whole K2HDKC cluster's agents on this machine, scales it, makes K2HR3 sick, and says what came of it.
#[derive(Debug, Clone, Parser)]
#[command(name = "k2hdkc-sandbox", after_help = AFTER_HELP)]
pub struct Options {
    /// Server nodes to start with
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=40))]
    pub servers: u8,
    /// Slave nodes to start with
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=40))]
    pub slaves: u8,
    /// A few events of each kind only, in about a quarter of the time
    #[arg(long)]
    pub short: bool,
    /// Lines instead of the live table, also on a terminal
    #[arg(long)]
    pub plain: bool,
    /// Leave everything running after the tables, and say how to play with it, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Keep the nodes' directories here, logs included [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
