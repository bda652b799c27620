//! The values that hold where the configuration says nothing, each with its reason.

use std::time::Duration;

/// A real refusal takes K2HR3 10 to 50 ms and a whole answer up to seconds; a connection that takes longer than
/// this will not come.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// K2HR3 needs 1.5 to 6 s for a role of 1000 hosts, and 14 s to say 401 when its backend is dead.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
/// The resource of 1000 hosts has 260 kB; chmpx holds 32768 nodes at most.
pub(super) const MAX_BODY: u64 = 8 << 20;
/// Fifteen nodes at 50 ms an answer stay below [`LOAD`] with it.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// However large the role: a change must be seen some time. The load that is promised ends here: 1000 nodes at 2 s an
/// answer ask 3.3 workers of K2HR3 at this interval.
pub(super) const MAX_INTERVAL: Duration = Duration::from_secs(600);
/// Nodes that booted together drift apart.
pub(super) const JITTER: f64 = 0.2;
/// Half of one K2HR3 worker for the whole cluster.
pub(super) const LOAD: f64 = 0.5;
/// First limit of the wait after a doubtful answer, and its least.
pub(super) const BACKOFF: Duration = Duration::from_secs(1);
/// Last limit of that wait.
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// A registration of several nodes at once arrives within moments.
pub(super) const SETTLE: Duration = Duration::from_millis(250);
/// An addition is installed within a second of the last change seen, also while changes go on.
pub(super) const MAX_SETTLE: Duration = Duration::from_millis(800);
/// Enough to go back over a bad afternoon.
pub(super) const KEEP: usize = 5;
/// With REPLICA 1, the loss of two servers is the loss of data.
pub(super) const MAX_LOST_SERVERS: usize = 1;
/// One of three may go; half of a ring may not, not even one of two.
pub(super) const MAX_LOST_SHARE: f64 = 0.4;
/// A sick backend gives the same wrong answer several times.
pub(super) const CONFIRM_POLLS: u32 = 5;
/// Longer than a K2HR3 restart.
pub(super) const CONFIRM_FOR: Duration = Duration::from_secs(300);
/// A host that registers again is gone from one answer, not from three.
pub(super) const REMOVAL_POLLS: u32 = 3;
/// A K2HR3 that has just restarted shows half of what it has, and another node that registers hides this one for a moment.
pub(super) const LOST_FOR: Duration = Duration::from_secs(60);
/// Long enough for the data of a small ring to be merged.
pub(super) const WINDOW: Duration = Duration::from_secs(300);
/// Registration again takes milliseconds, its retry seconds.
pub(super) const REMOVAL_FOR: Duration = Duration::from_secs(15);

/// `[GLOBAL]` of the membership source: the values of the DBaaS templates of upstream.
pub(super) const GLOBAL: &[(&str, &str)] = &[
    ("CHMPXIDTYPE", "CUSTOM"),
    ("DELIVERMODE", "hash"),
    ("MAXCHMPX", "256"),
    ("REPLICA", "1"),
    ("MAXMQSERVER", "8"),
    ("MAXMQCLIENT", "128"),
    ("MQPERATTACH", "8"),
    ("MAXQPERSERVERMQ", "8"),
    ("MAXQPERCLIENTMQ", "8"),
    ("MAXMQPERCLIENT", "16"),
    ("MAXHISTLOG", "0"),
    ("RWTIMEOUT", "10000"),
    ("RETRYCNT", "500"),
    ("CONTIMEOUT", "1000"),
    ("MQRWTIMEOUT", "500"),
    ("MQRETRYCNT", "10000"),
    ("MQACK", "no"),
    ("AUTOMERGE", "on"),
    ("DOMERGE", "on"),
    ("MERGETIMEOUT", "0"),
    ("SOCKTHREADCNT", "8"),
    ("MQTHREADCNT", "8"),
    ("MAXSOCKPOOL", "16"),
    ("SOCKPOOLTIMEOUT", "0"),
    ("SSL", "no"),
    ("K2HFULLMAP", "on"),
    ("K2HMASKBIT", "4"),
    ("K2HCMASKBIT", "8"),
    ("K2HMAXELE", "16"),
];

/// `[K2HDKC]` of the membership source, likewise.
pub(super) const K2HDKC: &[(&str, &str)] = &[
    ("K2HTYPE", "file"),
    ("K2HFILE", "/var/lib/antpickax/k2hdkc/data/k2hdkc.k2h"),
    ("K2HFULLMAP", "on"),
    ("K2HINIT", "no"),
    ("K2HMASKBIT", "8"),
    ("K2HCMASKBIT", "8"),
    ("K2HMAXELE", "32"),
    ("K2HPAGESIZE", "512"),
    ("MAXTHREAD", "20"),
];

/// Where the shipped override.conf lets everything meet (dbaas.md 2.3).
pub(super) const INI: &str = "/etc/antpickax/k2hdkc.ini";
/// Errors only: at the usual level chmpx dies of a bad file without a word.
pub(super) const CHMPX_OPTIONS: &[&str] = &["-d", "err"];
/// Without the first, k2hdkc spins at 100 % CPU while its chmpx is gone.
pub(super) const K2HDKC_OPTIONS: &[&str] = &["-no_giveup_rejoin", "-d", "err"];
/// chmpx, k2hdkc and chmpxstatus ask the name servers for the host's own name at each start, whatever /etc/hosts has, and chmpx
/// asks for other names in its main loop: 10 s each with glibc's own limits, where one server does not answer.
pub(super) const RES_OPTIONS: (&str, &str) = ("RES_OPTIONS", "timeout:1 attempts:1");
/// A question in the moment of a reload makes a slave's chmpx swallow it.
pub(super) const QUIET: Duration = Duration::from_millis(500);
/// Polling every 5 ms coincided with a merge that stuck; once a second was harmless.
pub(super) const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);
/// chmpx is silent for 5 to 20 s while it tries members that are down.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Ends are told at once; what is looked for is a merge that sticks or a server that went out of service.
pub(super) const LOOK: Duration = Duration::from_secs(15);
/// k2hdkc started right after chmpx: 1 of 40 to 2 of 13 joins stuck; a second later none of 38.
pub(super) const START_GAP: Duration = Duration::from_secs(1);
/// chmpx stopped less than 0.1 s after k2hdkc crashed 12 of 12 times, later 0 of 48.
pub(super) const STOP_GAP: Duration = Duration::from_millis(500);
/// A main loop that is blocked by connects or name look-ups hears SIGHUP after 15 s and more.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(20);
/// Six times the longest silence of a chmpx that was well.
pub(super) const DEAF_AFTER: Duration = Duration::from_secs(120);
/// A file that chmpx does not load ends it within milliseconds, or seconds where names are looked up.
pub(super) const ROLL_BACK_WITHIN: Duration = Duration::from_secs(30);
/// chmpx tries members that are down again every 10 s.
pub(super) const PEERS_WITHIN: Duration = Duration::from_secs(30);
/// Joins took 0.01 to 1 s.
pub(super) const JOIN_WITHIN: Duration = Duration::from_secs(20);
/// chmpx gives up to ask k2hdkc after some 70 s.
pub(super) const IDLE_MERGE: Duration = Duration::from_secs(100);
/// The copy of a large database takes its time; a merge that stuck did so for ever.
pub(super) const MERGE_WITHIN: Duration = Duration::from_secs(1800);
/// Stop, start, join and merge of a small server.
pub(super) const TURN: Duration = Duration::from_secs(30);
/// A server that left the service one second after another had joined stuck in its merge.
pub(super) const CALM: Duration = Duration::from_secs(5);
/// First pause of a program that ends again and again.
pub(super) const RESTART_BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause.
pub(super) const MAX_RESTART_BACKOFF: Duration = Duration::from_secs(60);
/// Half a second, a HUP and a KILL after 20 s, for both programs.
pub(super) const DRAIN: Duration = Duration::from_secs(45);
