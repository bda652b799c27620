//! What the pure stages and the replacement cost, by the size of the ring. Prints figures, judges nothing:
//! `cargo bench -p k2hdkc-agent`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should end loudly")]

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use k2hdkc_agent::clock::Clock;
use k2hdkc_agent::file::{self, Ownership};
use k2hdkc_agent::guard::{self, Case, Memory};
use k2hdkc_agent::membership::{self, Reader, Roles, Wanted};
use k2hdkc_agent::names::Cuk;
use k2hdkc_agent::render::{self, Rendered, Stamp};
use k2hdkc_agent::settings::Guard;
use k2hdkc_agent::validate::{self, Facts};
use k2hdkc_agent::{plan, ring::Ring};

const ROUNDS: usize = 21;

fn main() {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "median of {ROUNDS} rounds, in ms (a tenth of the nodes are slaves)\n");
    let heads = ["nodes", "ini kB", "parse", "guard", "plan", "render", "validate", "all", "all+file"];
    let _ = writeln!(out, "{}", heads.map(|head| format!("{head:>9}")).concat());
    for nodes in [10, 100, 1000, 10_000] {
        let _ = writeln!(out, "{}", row(nodes));
    }
}

/// The stages of one pass, each on the result of the one before.
struct Pass<'a> {
    text: &'a str,
    cuk: &'a Cuk,
    installed: &'a Ring,
    facts: &'a Facts,
}

impl Pass<'_> {
    fn parse(&self) -> Wanted {
        let installed = Some(self.installed);
        let reader = Reader { cuk: self.cuk, roles: Roles::default(), installed };
        membership::from_ini(self.text, &reader, &[]).expect("the generated ini is good")
    }

    fn guard(&self, wanted: &Wanted) {
        let now = Clock::of_host().now().boot;
        let case = Case {
            installed: Some(self.installed),
            answer: &wanted.ring,
            up: None,
            left: None,
            too_long: None,
            now,
            fresh: true,
        };
        black_box(guard::judge(case, &Memory::default(), &RULES));
    }

    fn render(ring: Ring) -> Rendered {
        render::render(ring, Stamp { fileversion: 7, date: String::new() }).expect("every value has a form")
    }

    fn validate(&self, rendered: Rendered) {
        black_box(validate::validate(rendered, self.facts).expect("the generated ini is valid"));
    }

    fn all(&self) -> Vec<u8> {
        let wanted = self.parse();
        self.guard(&wanted);
        black_box(plan::plan(Some(self.installed), &wanted.ring));
        let rendered = Self::render((*wanted.ring).clone());
        let bytes = rendered.bytes.clone();
        self.validate(rendered);
        bytes
    }
}

const RULES: Guard = Guard {
    max_lost_servers: 1,
    max_lost_share: 0.5,
    confirm_polls: 5,
    confirm_for: Duration::from_secs(300),
    removal_polls: 3,
    removal_for: Duration::from_secs(15),
    window: Duration::from_secs(300),
};

fn row(nodes: usize) -> String {
    let text = ini(nodes);
    let cuk = Cuk::try_from("cuk-0").expect("a CUK");
    let reader = Reader { cuk: &cuk, roles: Roles::default(), installed: None };
    let wanted = membership::from_ini(&text, &reader, &[]).expect("the generated ini is good");
    let mut installed = (*wanted.ring).clone();
    installed.servers.pop();
    let facts =
        Facts { cuk: Some(cuk.clone()), installed: Some(installed.clone().into()), ..Facts::default() };
    let pass = Pass { text: &text, cuk: &cuk, installed: &installed, facts: &facts };
    let rendered = Pass::render((*wanted.ring).clone());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let live = dir.path().join("k2hdkc.ini");
    let kilobytes = text.len() / 1000;
    let times = [
        median(|| drop(black_box(pass.parse()))),
        median(|| pass.guard(&wanted)),
        median(|| drop(black_box(plan::plan(Some(&installed), &wanted.ring)))),
        median(|| drop(black_box(Pass::render((*wanted.ring).clone())))),
        median(|| pass.validate(rendered.clone())),
        median(|| drop(black_box(pass.all()))),
        median(|| {
            let bytes = pass.all();
            file::replace(&live, &bytes, Ownership::default()).expect("the file is replaced");
        }),
    ];
    format!("{nodes:>9}{kilobytes:>9}{}", times.map(|ms| format!("{ms:>9.3}")).concat())
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1000.0
}

/// An ini as the DBaaS template expands to.
fn ini(nodes: usize) -> String {
    let slaves = nodes / 10;
    let mut text = String::from(
        "[GLOBAL]\nFILEVERSION = 1\nDATE = x\nGROUP = bench\nMODE = SERVER\nCHMPXIDTYPE = CUSTOM\nDELIVERMODE = hash\n\
         MAXCHMPX = 32768\nREPLICA = 1\nPORT = 8020\nCTLPORT = 8021\nSELFCTLPORT = 8021\n\
         SELFCUK = __SELF_INSTANCE_ID__\nAUTOMERGE = on\nDOMERGE = on\nSSL = no\n",
    );
    let mut section = |kind: &str, n: usize, ports: &str| {
        let address = format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250 + 1);
        text.push_str(&format!(
            "\n[{kind}]\nNAME                = {address}\nCUK                 = cuk-{n}\n{ports}CUSTOM_ID_SEED      = \
             vm{n}.novalocal\nSSL                 = no\n    \n"
        ));
    };
    (0..nodes - slaves).for_each(|n| section("SVRNODE", n, "PORT = 8020\nCTLPORT = 8021\n"));
    (nodes - slaves..nodes).for_each(|n| section("SLVNODE", n, "CTLPORT = 8031\n"));
    text.push_str("\n[K2HDKC]\nK2HTYPE = file\nK2HFILE = /data/x.k2h\n");
    text
}
