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
