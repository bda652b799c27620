//! Scripts that run inside of a container, and their output. Pure.
//!
//! Each probe starts one shell; every image of this family has one, for its helpers. The scripts are constants, and values
//! come as arguments: no command line is composed.

use std::time::Duration;

use crate::supervisor::{ProcessId, Program};

/// File of the incumbent's loop after a takeover.
pub(super) const ELSEWHERE: &str = ".shadow.ini";
/// The line of override.conf that says so.
pub(super) const SHADOW: &str = "k2hr3-get-resource-helper.conf:OUTPUT_FILE = .shadow.ini";
const OUTPUT_KEY: &str = "k2hr3-get-resource-helper.conf:OUTPUT_FILE";

/// Ticks of a second in `/proc/PID/stat`: 100 on every architecture that Docker runs on.
const HERTZ: u64 = 100;

/// $1: the ini, $2: override.conf. The ini comes last and whole: it may say anything.
const LOOK: &str = r#"
for dir in /proc/[0-9]*; do
  { read -r name <"$dir/comm"; } 2>/dev/null || continue
  case $name in chmpx | k2hdkc) ;; *) continue ;; esac
  { read -r stat <"$dir/stat"; } 2>/dev/null || continue
  printf 'process %s\n' "$stat"
  printf 'words %s\n' "$(tr '\0\n' '  ' <"$dir/cmdline" 2>/dev/null)"
done
printf 'uptime %s\n' "$(cat /proc/uptime)"
printf 'user %s %s\n' "$(id -u)" "$(id -g)"
if [ -f "$2" ]; then sed 's/^/override /' "$2"; echo; fi
if [ -f "$1" ]; then echo ini; cat "$1"; fi
"#;

/// $1: process, $2: its start, $3: its name, $4: the signal. One that is gone, or is another one by now, is no error.
const SIGNAL: &str = r#"
{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || exit 0
pid=$1 start=$2 name=$3 signal=$4
comm=${stat#*\(} comm=${comm%\)*}
set -f
set -- ${stat##*\)}
[ "$comm" = "$name" ] && [ "${20}" = "$start" ] || exit 0
kill -s "$signal" "$pid" || [ ! -d "/proc/$pid" ]
"#;

/// $1: override.conf, $2: the line. By rename, since the loop may read it at any time; the last line wins.
const APPEND: &str = r#"
set -e
new=$1.k2hdkc-agent
cp -p "$1" "$new"
[ -z "$(tail -c 1 "$new")" ] || echo >>"$new"
printf '%s\n' "$2" >>"$new"
mv -f "$new" "$1"
"#;

fn shell(script: &str, name: &str, arguments: &[&str]) -> Vec<String> {
    ["/bin/sh", "-c", script, name].iter().chain(arguments).map(|&word| word.to_owned()).collect()
}

/// The words of a look.
pub(super) fn look(ini: &str) -> Vec<String> {
    shell(LOOK, "look", &[ini, &beside(ini, "override.conf")])
}

/// The words that signal this very process.
pub(super) fn signal(program: Program, id: ProcessId, signal: &str) -> Vec<String> {
    let (pid, ticks) = (id.pid.to_string(), id.start_ticks.to_string());
    shell(SIGNAL, "signal", &[&pid, &ticks, program.name(), signal])
}

/// The words that make the incumbent's loop write elsewhere.
pub(super) fn take_over(ini: &str) -> Vec<String> {
    shell(APPEND, "take-over", &[&beside(ini, "override.conf"), SHADOW])
}

/// The words that put a new file in place.
pub(super) fn rename(from: &str, to: &str) -> Vec<String> {
    ["mv", "-f", from, to].map(str::to_owned).into()
}

/// A file in the directory of the ini.
pub(super) fn beside(ini: &str, name: &str) -> String {
    let directory = ini.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{directory}/{name}")
}

/// A process of one of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) program: Program,
    pub(super) id: ProcessId,
    /// Age of the process.
    pub(super) age: Duration,
    /// Processor time of the process.
    pub(super) worked: Duration,
}

/// Result of a probe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Probe {
    /// The oldest first.
    pub(super) processes: Vec<Found>,
    /// The container's user and group.
    pub(super) user: (u64, u64),
    /// Output file of the incumbent by override.conf; `None` without that file.
    pub(super) output: Option<String>,
    /// The bytes of the ini; `None` where there is none.
    pub(super) ini: Option<Vec<u8>>,
}

impl Probe {
    /// True if the incumbent's loop writes the ini.
    pub(super) fn is_rewritten(&self, ini: &str) -> bool {
        let name = ini.rsplit('/').next().unwrap_or_default();
        // With a colon it names a key of another file, which may say anything.
        let writes =
            |output: &str| output.is_empty() || output.contains(':') || output == name || output == ini;
        self.output.as_deref().is_none_or(writes)
    }
}

/// Reads what a look printed; `None` where that is not one.
pub(super) fn read(printed: &[u8], ini: &str) -> Option<Probe> {
    let (head, ini_bytes) = split(printed);
    let head = String::from_utf8_lossy(head);
    let mut inside = Probe { ini: ini_bytes.map(<[u8]>::to_vec), ..Probe::default() };
    let up = head.lines().find_map(|line| line.strip_prefix("uptime "))?;
    let up: f64 = up.split(' ').next()?.parse().ok()?;
    let user = head.lines().find_map(|line| line.strip_prefix("user "))?;
    let (uid, gid) = user.split_once(' ')?;
    inside.user = (uid.parse().ok()?, gid.trim().parse().ok()?);
    let mut lines = head.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(stat) = line.strip_prefix("process ") {
            let words = lines.next_if(|next| next.starts_with("words ")).unwrap_or_default();
            let reads = reads(words.strip_prefix("words ").unwrap_or_default(), ini);
            inside.processes.extend(process(stat, up).filter(|_| reads));
        } else if let Some(line) = line.strip_prefix("override ") {
            let output = inside.output.get_or_insert_default();
            if let Some((key, value)) = line.split_once('=')
                && key.trim() == OUTPUT_KEY
            {
                value.trim().clone_into(output);
            }
        }
    }
    inside.processes.sort_by_key(|found| (found.id.start_ticks, found.id.pid));
    Some(inside)
}

/// Splits the output at the line `ini`.
fn split(printed: &[u8]) -> (&[u8], Option<&[u8]>) {
    const MARK: &[u8] = b"\nini\n";
    match printed.windows(MARK.len()).position(|window| window == MARK) {
        Some(at) => (&printed[..at], Some(&printed[at + MARK.len()..])),
        None => (printed, None),
    }
}

/// True if the arguments of a process name that ini, or none.
fn reads(words: &str, ini: &str) -> bool {
    let mut words = words.split(' ');
    match words.by_ref().find(|word| word.eq_ignore_ascii_case("-conf")).and_then(|_| words.next()) {
        Some(path) => path == ini || !path.starts_with('/'),
        None => true,
    }
}

/// A stat line; `None` for one that only waits to be reaped. The name in it is in brackets.
fn process(stat: &str, up: f64) -> Option<Found> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(')')?;
    let program = [Program::Chmpx, Program::K2hdkc].into_iter().find(|program| program.name() == name)?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let ticks = number(22)?;
    #[expect(clippy::cast_precision_loss, reason = "ticks since the host started are far below 2^52")]
    let age = Duration::try_from_secs_f64(up - ticks as f64 / HERTZ as f64).unwrap_or_default();
    let worked = Duration::from_millis((number(14)? + number(15)?) * 1000 / HERTZ);
    Some(Found { program, id: ProcessId { pid: pid.parse().ok()?, start_ticks: ticks }, age, worked })
}

#[cfg(test)]
mod tests;
