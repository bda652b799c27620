//! Programs that stand in for chmpx, k2hdkc, chmpxstatus and k2hdkclinetool: one binary that acts as what its `argv[0]` names.
//!
//! [`install`] makes links to it with those names, so that the kernel's name of the process is the real one's, too.
//! Environment and faults: [`place`] and [`faults`].

pub mod arguments;
pub mod log;
pub mod faults;
pub mod place;
pub mod stage;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::Wish;
use place::Place;

use crate::chmpx::{chmpxstatus, commands, program as chmpx};
use crate::k2hdkc::{linetool, program as k2hdkc};

/// The programs that the binary can be.
pub const NAMES: [&str; 4] = ["chmpx", "k2hdkc", "chmpxstatus", "k2hdkclinetool"];

/// Links [`NAMES`] in `dir` to the binary; links that are there are replaced.
pub fn install(dir: &Path) -> io::Result<()> {
    let program = crate::binaries::simulators()?;
    std::fs::create_dir_all(dir)?;
    for name in NAMES {
        let link = dir.join(name);
        if link.symlink_metadata().is_ok() {
            std::fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(program, link)?;
    }
    Ok(())
}

/// [`install`], for programs that are started from `dir` with an environment that does not say the root of their node.
pub fn install_for(dir: &Path, root: &Path) -> io::Result<()> {
    use std::io::Write as _;
    install(dir)?;
    let path = dir.join(place::ROOT_FILE);
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).open(path)?;
    writeln!(file, "{}", root.display())
}

/// Runs the program that `argv[0]` names.
pub fn run(mut words: impl Iterator<Item = String>) -> ExitCode {
    let program = PathBuf::from(words.next().unwrap_or_default());
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<String> = words.collect();
    let place = Place::of_process(&program);
    let file = |variable| std::env::var_os(variable).map(PathBuf::from);
    match name.as_str() {
        "chmpx" => start(&words, file("CHMCONFFILE"), commands::VERSION, |wanted| chmpx::run(wanted, &place)),
        "k2hdkc" => {
            start(&words, file("K2HDKCCONFFILE"), k2hdkc::VERSION, |wanted| k2hdkc::run(wanted, &place))
        }
        "chmpxstatus" => start(&words, file("CHMCONFFILE"), "", |wanted| chmpxstatus::run(wanted, &place)),
        "k2hdkclinetool" => {
            start(&words, file("K2HDKCCONFFILE"), k2hdkc::VERSION, |wanted| linetool::run(wanted, &place))
        }
        _ => {
            log::say(&format!(
                "{name} is none of {}: call this program by a link of such a name",
                NAMES.join(", ")
            ));
            ExitCode::from(2)
        }
    }
}

fn start(
    words: &[String],
    file: Option<PathBuf>,
    version: &str,
    run: impl FnOnce(&arguments::Arguments) -> ExitCode,
) -> ExitCode {
    match arguments::read(words, file) {
        Wish::Run(arguments) => run(&arguments),
        Wish::Version => {
            log::say(version.trim_end());
            ExitCode::SUCCESS
        }
        Wish::Help => {
            log::say("Usage: -conf <file> [-ctlport <port>] [-cuk <cuk>] [-d silent|err|wan|msg|dump] [-v]");
            ExitCode::SUCCESS
        }
        Wish::Wrong(text) => {
            log::say(&format!("ERROR: {text}"));
            ExitCode::FAILURE
        }
    }
}
