//! The command line of the real programs: one dash, names in any case, values behind them.

use std::path::PathBuf;

use k2hdkc_agent::keys::atoi;

use super::log::Level;

/// The arguments of a program. Each program takes what it knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// `-conf`
    pub conf: PathBuf,
    /// `-ctlport`
    pub ctlport: Option<i32>,
    /// `-cuk`
    pub cuk: Option<String>,
    /// `-d`
    pub level: Level,
    /// `-no_giveup_rejoin`
    pub never_gives_up: bool,
    /// `-self`
    pub only_self: bool,
    /// `-wait` with its conditions.
    pub wait: Option<Wait>,
}

/// The condition that `chmpxstatus -wait` waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wait {
    /// `-live`
    pub live: Option<String>,
    /// `-ring`
    pub ring: Option<String>,
    /// `-suspend` and `-nosuspend`
    pub suspend: Option<bool>,
    /// `-timeout`, in seconds.
    pub timeout: Option<u64>,
}

/// The meaning of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// To run.
    Run(Arguments),
    /// `-v`
    Version,
    /// `-h`
    Help,
    /// Something that the program does not know.
    Wrong(String),
}

/// Reads a command line without the program's name; `environment` is `CHMCONFFILE` or `K2HDKCCONFFILE`.
pub fn read(words: &[String], environment: Option<PathBuf>) -> Wish {
    parse(words, environment).unwrap_or_else(Wish::Wrong)
}

fn parse(words: &[String], environment: Option<PathBuf>) -> Result<Wish, String> {
    let mut arguments = Arguments {
        conf: PathBuf::new(),
        ctlport: None,
        cuk: None,
        level: Level::Silent,
        never_gives_up: false,
        only_self: false,
        wait: None,
    };
    let (mut conf, mut wait, mut waits) = (environment, Wait::default(), false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let name = word.to_ascii_lowercase();
        let mut value = || words.next().cloned().ok_or_else(|| format!("{word} needs a value"));
        match name.as_str() {
            "-v" | "-version" => return Ok(Wish::Version),
            "-h" | "-help" => return Ok(Wish::Help),
            "-conf" => conf = Some(value()?.into()),
            "-ctlport" => arguments.ctlport = Some(atoi(&value()?)),
            "-cuk" => arguments.cuk = Some(value()?),
            "-d" => {
                let level = value()?;
                arguments.level = Level::read(&level).ok_or_else(|| format!("-d {level} is not known"))?;
            }
            "-dfile" => drop(value()?),
            "-comlog" => {}
            "-no_giveup_rejoin" => arguments.never_gives_up = true,
            "-self" => arguments.only_self = true,
            "-wait" => waits = true,
            "-live" => wait.live = Some(value()?.to_ascii_lowercase()),
            "-ring" => wait.ring = Some(value()?.to_ascii_lowercase()),
            "-suspend" | "-nosuspend" => wait.suspend = Some(name == "-suspend"),
            "-timeout" => wait.timeout = value()?.parse().ok(),
            _ => return Err(format!("{word} is not known")),
        }
    }
    let conf = conf.ok_or("there is no -conf")?;
    Ok(Wish::Run(Arguments { conf, wait: waits.then_some(wait), ..arguments }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn names_of_options_are_in_any_case() {
        let Wish::Run(arguments) = read(&words("-CONF a.ini -D Err -CtlPort 8021 -no_GIVEUP_rejoin"), None)
        else {
            panic!("refused");
        };
        assert_eq!(arguments.conf, PathBuf::from("a.ini"));
        assert_eq!(
            (arguments.level, arguments.ctlport, arguments.never_gives_up),
            (Level::Err, Some(8021), true)
        );
    }

    #[test]
    fn what_is_not_known_is_refused_and_the_environment_names_a_file() {
        assert!(matches!(read(&words("-what"), Some("a.ini".into())), Wish::Wrong(_)));
        assert!(matches!(read(&[], None), Wish::Wrong(_)));
        assert!(matches!(read(&[], Some("a.ini".into())), Wish::Run(_)));
        assert_eq!(read(&words("-v"), None), Wish::Version);
    }
}
