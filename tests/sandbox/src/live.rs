//! Shows the news on a terminal: lines that stay scroll up, and below them a table is redrawn in place.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use k2hdkc_agent::process_status::{ProcessStatus, State};
use k2hdkc_agent::report::OutcomeKind;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::status::Status;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::census::{Lives, Program};
use super::cost::milliseconds;
use super::counters::{Counted, Meter};
use super::member::Agent;
use super::news::News;
use super::ring::{Glimpse, Seen};
use super::sightings::Shown;
use super::terminal;
use super::text::cut;

/// Between two drawings.
const FRAME: Duration = Duration::from_millis(200);
/// Between two questions to one agent, at least.
const BETWEEN_STATUSES: Duration = Duration::from_secs(1);
/// The same in frames.
const FRAMES_BETWEEN_STATUSES: usize = 5;
/// Of a terminal that does not tell.
const WIDTH: usize = 100;
/// A node that does not answer at once must not stop the picture.
const STATUS_WITHIN: Duration = Duration::from_millis(100);

/// Shows everything until nobody tells any more; the table is gone then.
pub(super) async fn show(mut news: mpsc::UnboundedReceiver<News>) {
    let mut screen = Screen::new();
    let mut frames = interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            told = news.recv() => match told {
                Some(news) => screen.take(news),
                None => return,
            },
            _ = frames.tick() => {
                screen.ask().await;
                screen.draw();
            }
        }
    }
}

/// The screen as it is on the terminal. Dropped, it leaves the lines and takes the table away.
struct Screen {
    start: Instant,
    rows: BTreeMap<(bool, usize, String), Row>,
    counts: Option<Counts>,
    event: String,
    /// Lines that are not printed yet.
    lines: Vec<String>,
    /// Height of the table as it stands there.
    drawn: usize,
}

struct Row {
    agent: Agent,
    glimpses: watch::Receiver<Vec<Glimpse>>,
    shown: Option<Result<Shown, String>>,
    state: String,
    asked: Option<Instant>,
}

/// The counts that change all the time.
struct Counts {
    lives: watch::Receiver<Lives>,
    meter: Meter,
    /// The reads of the last second, and the count and moment from which the next second is taken.
    rate: u64,
    last: (Instant, u64),
}

impl Screen {
    fn new() -> Self {
        write("\x1b[?25l");
        Self {
            start: Instant::now(),
            rows: BTreeMap::new(),
            counts: None,
            event: String::new(),
            lines: Vec::new(),
            drawn: 0,
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Line(line) => {
                let width = terminal::size().map_or(WIDTH, |(width, _)| width);
                self.lines.push(cut(&line, width));
            }
            News::Whole(line) => self.lines.push(line),
            News::Begins { number, of, title } => self.event = format!("event {number} of {of}: {title}"),
            News::Playing => "yours to play with; Ctrl-C ends it".clone_into(&mut self.event),
            News::Came { name, mode, runtime, glimpses } => {
                let (agent, state) = (Agent { runtime }, "starts".to_owned());
                let row = Row { agent, glimpses, shown: None, state, asked: None };
                self.rows.insert(place(&name, mode), row);
            }
            News::Counts { lives, meter } => {
                self.counts = Some(Counts { lives, meter, rate: 0, last: (Instant::now(), 0) });
            }
            News::Went { name } => self.rows.retain(|(.., of), _| *of != name),
            News::File { of, shown } => {
                let row = self.rows.iter_mut().find(|((.., name), _)| *name == of);
                if let Some((_, row)) = row {
                    row.shown = Some(shown);
                }
            }
        }
    }

    /// Asks the agents whose time it is, not all in one frame.
    async fn ask(&mut self) {
        let share = self.rows.len().div_ceil(FRAMES_BETWEEN_STATUSES);
        let due = |row: &&mut Row| row.asked.is_none_or(|asked| asked.elapsed() >= BETWEEN_STATUSES);
        for row in self.rows.values_mut().filter(due).take(share) {
            row.asked = Some(Instant::now());
            row.state = match tokio::time::timeout(STATUS_WITHIN, row.agent.status()).await {
                Ok(Ok(status)) => state(&status),
                Ok(Err(_)) => "no agent answers".to_owned(),
                Err(_) => continue,
            };
        }
    }

    /// New lines above, the table below, in one write so that nothing flickers.
    fn draw(&mut self) {
        if let Some(counts) = &mut self.counts {
            counts.tick();
        }
        let (width, height) = terminal::size().unwrap_or((WIDTH, 40));
        let table = self.table(width, height);
        let mut frame = self.erased();
        let above = self.lines.drain(..).map(|line| coloured(&line));
        frame.extend(above.chain(table.iter().cloned()).map(|line| line + "\n"));
        self.drawn = table.len();
        write(&frame);
    }

    /// Renders what takes the table away; the terminal may have put a `^C` below it.
    fn erased(&self) -> String {
        if self.drawn == 0 { String::new() } else { format!("\r\x1b[{}A\x1b[J", self.drawn) }
    }

    fn table(&self, width: usize, height: usize) -> Vec<String> {
        let seconds = self.start.elapsed().as_secs_f64();
        let rule = format!("── {seconds:5.1} s ── {} {}", self.event, "─".repeat(width));
        let head = ["node", "agent", "chmpx", "k2hdkc", "file", "loaded", "status", "ring", "state"];
        let head = columns(&head.map(str::to_owned), width);
        let mut lines = vec![String::new(), cut(&rule, width).replace('…', "─"), cut(&head, width)];
        let lives = self.counts.as_ref().map(|counts| counts.lives.borrow().clone()).unwrap_or_default();
        lines.extend(
            self.rows.iter().map(|((.., name), row)| cut(&columns(&row.cells(name, &lives), width), width)),
        );
        lines.extend(self.counts.as_ref().map(|counts| cut(&counts.line(), width)));
        // What does not fit could not be taken away again.
        lines.truncate(height.saturating_sub(1));
        lines
    }
}

impl Row {
    /// The name, the processes of the agent, chmpx and k2hdkc, the generation of its file, the generation and the status of its
    /// chmpx, the servers in service of all in its ring, and its state.
    fn cells(&self, name: &str, lives: &Lives) -> [String; 9] {
        let pid = |program| lives.running(name, program).map_or("-".to_owned(), |life| life.pid.to_string());
        let file = match &self.shown {
            Some(Ok(Shown { fileversion, .. })) => fileversion.to_string(),
            Some(Err(_)) => "broken".to_owned(),
            None => "none".to_owned(),
        };
        let seen = self.glimpses.borrow().last().and_then(|glimpse| glimpse.seen.clone());
        let [loaded, status, ring] = seen.as_ref().map_or(["-", "-", "-"].map(str::to_owned), chmpx);
        let [agent, chmpx, k2hdkc] = [Program::Agent, Program::Chmpx, Program::K2hdkc].map(pid);
        [name.to_owned(), agent, chmpx, k2hdkc, file, loaded, status, ring, self.state.clone()]
    }
}

/// The cells of one node in a line. Processes have columns where the terminal has room for them.
fn columns(cells: &[String; 9], width: usize) -> String {
    let [name, agent, chmpx, k2hdkc, file, loaded, status, ring, state] = cells;
    let processes = if width < WIDTH { String::new() } else { format!("{agent:>8}{chmpx:>8}{k2hdkc:>8}") };
    format!("{name:<10}{processes}{file:>6}{loaded:>8}{status:>9}{ring:>8}  {state}")
}

/// The generation that a chmpx has loaded, its own status, and how many servers of its ring are in service.
fn chmpx(seen: &Seen) -> [String; 3] {
    let healthy = seen.servers.values().filter(|status| status.is_healthy()).count();
    let ring = format!("{healthy} of {}", seen.servers.len());
    [seen.fileversion.to_string(), format!("{:#x}", seen.own.bits()), ring]
}

/// The first thing for an operator: why the file does not follow, else the state of the processes.
fn state(status: &Status) -> String {
    match (status.code(), status.processes.as_ref()) {
        (
            Some(OutcomeKind::Unchanged | OutcomeKind::Installed),
            Some(ProcessStatus { state: State::Converged, .. }),
        ) => "converged".to_owned(),
        (Some(OutcomeKind::Unchanged | OutcomeKind::Installed), Some(processes)) => processes.text.clone(),
        _ => status.line().to_owned(),
    }
}

impl Counts {
    fn tick(&mut self) {
        let (at, reads) = self.last;
        let passed = at.elapsed();
        if passed >= Duration::from_secs(1) {
            let now = self.meter.now().reads;
            self.rate =
                u64::try_from(u128::from(now - reads) * 1000 / passed.as_millis()).unwrap_or_default();
            self.last = (Instant::now(), now);
        }
    }

    fn line(&self) -> String {
        let Counted { reads, retries, failed, broken, writes, longest, .. } = self.meter.now();
        let mut line = format!(
            "programs: {reads} reads ({}/s), {writes} writes, slowest {}, {} keys lost",
            self.rate,
            milliseconds(longest),
            self.meter.lost()
        );
        if retries + failed + broken > 0 {
            line.push_str(&format!(", {retries} retries, {failed} failed, {broken} handles broken"));
        }
        line
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut rest = self.erased();
        rest.extend(self.lines.drain(..).map(|line| coloured(&line) + "\n"));
        write(&(rest + "\x1b[?25h"));
    }
}

/// Servers first, each kind by its number.
fn place(name: &str, mode: Mode) -> (bool, usize, String) {
    let number = name.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or_default();
    (mode == Mode::Slave, number, name.to_owned())
}

/// Green and red where an operator looks first.
fn coloured(line: &str) -> String {
    let words = [("FAILED", 31), ("verdict: good", 32)];
    let found = words.into_iter().find(|(word, _)| line.contains(word));
    found.map_or_else(
        || line.to_owned(),
        |(word, colour)| line.replacen(word, &format!("\x1b[{colour}m{word}\x1b[0m"), 1),
    )
}

/// A terminal that is gone needs no picture.
fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
