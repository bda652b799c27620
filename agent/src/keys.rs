//! The keys that chmpx and k2hdkc know: which values they take, and what a change of each does to a running
//! process. One table, read by `acceptance` (values), `render` (order) and `plan` (effects).
//!
//! Values: chmpx 1.0.113, lib/chmconf.cc:1428-2590. Effects: measured on that version by changing one key at a
//! time under a running chmpx and reading DUMP.

/// Form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Text,
    /// A word of this list, in any case; chmpx refuses any other.
    Word(&'static [&'static str]),
    /// A decimal number, as [`atoi`] reads it.
    Number {
        /// Smaller ones are not good, with this consequence.
        least: i32,
        /// Larger ones are not good either.
        most: i32,
        /// Consequence of a smaller one; a larger one is cut where that is [`Below::Refused`] or [`Below::Raised`].
        below: Below,
    },
    /// A port, 1 to 32767.
    Port,
    /// A path on this host, or nothing, or `NULL`.
    Path,
}

/// Consequence of a number that is too small (or, for [`Below::Fatal`], too large).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// chmpx refuses the file.
    Refused,
    /// chmpx takes the file, and then it or its client crashes, hangs or does not start.
    Fatal,
    /// As [`Below::Fatal`], but a larger one is only cut.
    FatalBelow,
    /// chmpx uses the least, or its default.
    Raised,
}

/// Effect of a changed key on a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// No process reads it.
    None,
    /// chmpx takes it with the reload.
    Live,
    /// Only a restart of chmpx, and so of k2hdkc, makes it true.
    Restart,
    /// A ring cannot change it: chmpx refuses or ends.
    Fixed,
}

/// A key that chmpx knows in `[GLOBAL]`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name; chmpx compares it case by case.
    pub name: &'static str,
    /// Its values.
    pub value: Value,
    /// Effect of a change.
    pub change: Effect,
}

const ON_OFF: Value = Value::Word(&["on", "yes", "off", "no"]);
const SSL_VERSIONS: Value =
    Value::Word(&["", "DEFAULT", "SSLV2", "SSLV3", "TLSV1.0", "TLSV1.1", "TLSV1.2", "TLSV1.3"]);

const INT: i32 = i32::MAX;

const fn key(name: &'static str, value: Value, change: Effect) -> Key {
    Key { name, value, change }
}

const fn number(least: i32, most: i32, below: Below) -> Value {
    Value::Number { least, most, below }
}

/// `[GLOBAL]`, in the order in which we write it.
pub const GLOBAL: &[Key] = &[
    key("FILEVERSION", number(0, INT, Below::Raised), Effect::Live),
    key("DATE", Value::Text, Effect::None),
    key("GROUP", Value::Text, Effect::Fixed),
    key("MODE", Value::Word(&["SERVER", "SLAVE"]), Effect::Fixed),
    key("CHMPXIDTYPE", Value::Word(&["NAME", "CUK", "CTLENDPOINTS", "CTLEPS", "CUSTOM"]), Effect::Fixed),
    key("DELIVERMODE", Value::Word(&["random", "hash"]), Effect::Restart),
    key("MAXCHMPX", number(1, 32768, Below::FatalBelow), Effect::Restart),
    key("REPLICA", number(0, 32768, Below::FatalBelow), Effect::Live),
    key("MAXMQSERVER", number(1, 128, Below::FatalBelow), Effect::Restart),
    key("MAXMQCLIENT", number(1, 32640, Below::FatalBelow), Effect::Restart),
    key("MQPERATTACH", number(1, 128, Below::FatalBelow), Effect::Restart),
    key("MAXQPERSERVERMQ", number(1, 128, Below::FatalBelow), Effect::Restart),
    key("MAXQPERCLIENTMQ", number(1, 128, Below::FatalBelow), Effect::Restart),
    key("MAXMQPERCLIENT", number(0, 128, Below::Raised), Effect::Restart),
    key("MAXHISTLOG", number(0, 32768, Below::Raised), Effect::Restart),
    key("PORT", Value::Port, Effect::Restart),
    key("CTLPORT", Value::Port, Effect::Restart),
    key("SELFCTLPORT", Value::Port, Effect::Restart),
    key("SELFCUK", Value::Text, Effect::Restart),
    key("RWTIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("RETRYCNT", number(-1, INT, Below::Fatal), Effect::Live),
    key("CONTIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("MQRWTIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("MQRETRYCNT", number(1, INT, Below::Fatal), Effect::Live),
    key("MQACK", ON_OFF, Effect::Restart),
    key("AUTOMERGE", ON_OFF, Effect::Live),
    key("DOMERGE", ON_OFF, Effect::Live),
    key("MERGETIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("SOCKTHREADCNT", number(0, INT, Below::Refused), Effect::Live),
    key("MQTHREADCNT", number(0, INT, Below::Refused), Effect::Live),
    key("MAXSOCKPOOL", number(1, INT, Below::Refused), Effect::Live),
    key("SOCKPOOLTIMEOUT", number(0, INT, Below::Refused), Effect::Live),
    key("SSL", ON_OFF, Effect::Restart),
    key("SSL_VERIFY_PEER", ON_OFF, Effect::Restart),
    key("SSL_MIN_VER", SSL_VERSIONS, Effect::Restart),
    key("CAPATH", Value::Path, Effect::Restart),
    key("SERVER_CERT", Value::Path, Effect::Restart),
    key("SERVER_PRIKEY", Value::Path, Effect::Restart),
    key("SLAVE_CERT", Value::Path, Effect::Restart),
    key("SLAVE_PRIKEY", Value::Path, Effect::Restart),
    key("NSSDB_DIR", Value::Path, Effect::Restart),
    key("K2HFULLMAP", ON_OFF, Effect::Restart),
    key("K2HMASKBIT", number(2, 27, Below::Fatal), Effect::Restart),
    key("K2HCMASKBIT", number(0, 27, Below::Fatal), Effect::Restart),
    key("K2HMAXELE", number(1, INT, Below::Fatal), Effect::Restart),
];

/// Keys of a node section besides NAME, PORT, CTLPORT, CUK and CUSTOM_ID_SEED, in the order in which we write
/// them. Host lists are the first four: a change of one, under the same seed, makes a second row of the same
/// chmpxid in the table of a running chmpx.
pub const NODE_REST: &[&str] = &[
    "ENDPOINTS",
    "CTLENDPOINTS",
    "FORWARD_PEERS",
    "REVERSE_PEERS",
    "SSL",
    "SSL_VERIFY_PEER",
    "CAPATH",
    "SERVER_CERT",
    "SERVER_PRIKEY",
    "SLAVE_CERT",
    "SLAVE_PRIKEY",
];

/// The node keys that hold lists of hosts.
pub const HOST_LISTS: &[&str] = &["ENDPOINTS", "CTLENDPOINTS", "FORWARD_PEERS", "REVERSE_PEERS"];

/// Keys that `[K2HDKC]` may hold more than once (k2hdkc 1.0.19, src/k2hdkcconfparser.cc).
pub const K2HDKC_REPEATED: &[&str] = &["PASSPHRASES", "ATTRPLUGIN"];

/// Keys whose value is a secret: never printed.
pub const SECRET: &[&str] = &["PASSPHRASES"];

/// The keys of `[K2HDKC]` that hold a number, with what k2hdkc takes (k2hdkc 1.0.19,
/// src/k2hdkcconfparser.cc:340-543; the mask bits end where k2hash cannot make the file).
pub const K2HDKC_NUMBERS: &[(&str, i32, i32)] = &[
    ("RCVTIMEOUT", 1, INT),
    ("DTORTHREADCNT", 0, 64),
    ("K2HMASKBIT", 2, 27),
    ("K2HCMASKBIT", 1, 27),
    ("K2HMAXELE", 1, INT),
    ("K2HPAGESIZE", 1, INT),
    ("EXPIRE", 0, INT),
    ("MINTHREAD", 1, INT),
    ("MAXTHREAD", 1, INT),
    ("REDUCETIME", 1, INT),
];

/// The keys of `[K2HDKC]` that hold a truth value.
pub const K2HDKC_TRUTHS: &[&str] = &["K2HFULLMAP", "K2HINIT", "HISTORY"];

/// The keys of `[K2HDKC]` that name a file which must exist when k2hdkc starts.
pub const K2HDKC_FILES: &[&str] = &["SVRNODEINI", "REPLCLUSTERINI", "PASSFILE", "ATTRPLUGIN"];

/// C's `atoi`, as chmpx uses it: blanks, a sign, digits, and no word about what follows; what does not fit into
/// 64 bits becomes the limit, and of that the lower 32 bits count.
pub fn atoi(text: &str) -> i32 {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = &digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())];
    let magnitude = digits
        .bytes()
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    let value = if text.starts_with('-') { -magnitude } else { magnitude };
    #[expect(clippy::cast_possible_truncation, reason = "that is what chmpx does")]
    let wrapped = value as i32;
    wrapped
}

/// The `[GLOBAL]` key of that name.
pub fn global(name: &str) -> Option<&'static Key> {
    GLOBAL.iter().find(|key| key.name == name)
}

/// chmpx's two spellings of yes, in any case.
pub fn is_on(text: &str) -> bool {
    text.eq_ignore_ascii_case("on") || text.eq_ignore_ascii_case("yes")
}

/// chmpx's two spellings of no, in any case.
pub fn is_off(text: &str) -> bool {
    text.eq_ignore_ascii_case("off") || text.eq_ignore_ascii_case("no")
}

/// Tells whether a path value means "none": empty or `NULL`.
pub fn is_unset(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoi_is_c_s() {
        for (text, number) in [
            ("7", 7),
            (" +7x", 7),
            ("-1x", -1),
            ("", 0),
            ("abc", 0),
            ("0x10", 0),
            ("3000000000", -1_294_967_296),
            ("-2147483649", 2_147_483_647),
            ("99999999999999999999", -1),
        ] {
            assert_eq!(atoi(text), number, "{text}");
        }
    }

    #[test]
    fn no_key_stands_twice_in_the_table() {
        for (index, key) in GLOBAL.iter().enumerate() {
            assert!(GLOBAL[..index].iter().all(|other| other.name != key.name), "{}", key.name);
        }
    }

    #[test]
    fn what_a_ring_cannot_change_is_marked_fixed() {
        let fixed: Vec<_> = GLOBAL.iter().filter(|k| k.change == Effect::Fixed).map(|k| k.name).collect();
        assert_eq!(fixed, ["GROUP", "MODE", "CHMPXIDTYPE"]);
    }
}
