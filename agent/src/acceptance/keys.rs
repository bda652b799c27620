//! The keys that chmpx and k2hdkc know: which values they take, and what a change of each does to a running
//! process. One table, read by `acceptance` (values), `render` (order) and `plan` (effects).
//!
//! Values: chmpx 1.0.113, lib/chmconf.cc:1428-2590. Effects: measured on that version by changing one key at a
//! time under a running chmpx and reading DUMP.

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Text,
    /// One of these words, in any case; anything else is refused.
    Word(&'static [&'static str]),
    /// A decimal number. chmpx uses `atoi`: other text counts as 0.
    Number {
        /// Smaller ones are not good, with this consequence.
        least: i64,
        /// Larger ones are cut to this.
        most: i64,
        /// What a smaller one does.
        below: Below,
    },
    /// A port, 1 to 32767.
    Port,
    /// A path on this host, or nothing, or `NULL`.
    Path,
}

/// What chmpx does with a number that is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// It refuses the file.
    Refused,
    /// It takes the file and crashes or fails to start.
    Fatal,
    /// It uses the least, or its default.
    Raised,
}

/// What a change of a key does to a running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing reads it.
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
    /// What a change does.
    pub change: Effect,
}

const ON_OFF: Value = Value::Word(&["on", "yes", "off", "no"]);
const SSL_VERSIONS: Value =
    Value::Word(&["DEFAULT", "SSLV2", "SSLV3", "TLSV1.0", "TLSV1.1", "TLSV1.2", "TLSV1.3"]);

/// Largest number that chmpx's `atoi` reads as itself.
const INT: i64 = i32::MAX as i64;

const fn key(name: &'static str, value: Value, change: Effect) -> Key {
    Key { name, value, change }
}

const fn number(least: i64, most: i64, below: Below) -> Value {
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
    key("MAXCHMPX", number(1, 32768, Below::Fatal), Effect::Restart),
    key("REPLICA", number(0, 32768, Below::Raised), Effect::Live),
    key("MAXMQSERVER", number(1, 128, Below::Fatal), Effect::Restart),
    key("MAXMQCLIENT", number(1, 32640, Below::Fatal), Effect::Restart),
    key("MQPERATTACH", number(1, 128, Below::Fatal), Effect::Restart),
    key("MAXQPERSERVERMQ", number(1, 128, Below::Fatal), Effect::Restart),
    key("MAXQPERCLIENTMQ", number(1, 128, Below::Fatal), Effect::Restart),
    key("MAXMQPERCLIENT", number(1, 128, Below::Fatal), Effect::Restart),
    key("MAXHISTLOG", number(0, 32768, Below::Raised), Effect::Restart),
    key("PORT", Value::Port, Effect::Restart),
    key("CTLPORT", Value::Port, Effect::Restart),
    key("SELFCTLPORT", Value::Port, Effect::Restart),
    key("SELFCUK", Value::Text, Effect::Restart),
    key("RWTIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("RETRYCNT", number(-1, INT, Below::Raised), Effect::Live),
    key("CONTIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("MQRWTIMEOUT", number(0, INT, Below::Raised), Effect::Live),
    key("MQRETRYCNT", number(-1, INT, Below::Raised), Effect::Live),
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
    key("K2HMASKBIT", number(1, 64, Below::Fatal), Effect::Restart),
    key("K2HCMASKBIT", number(0, 64, Below::Raised), Effect::Restart),
    key("K2HMAXELE", number(0, INT, Below::Raised), Effect::Restart),
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

/// Whether a path value means "none": empty or `NULL`.
pub fn is_unset(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

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
