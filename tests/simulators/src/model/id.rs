//! The chmpxid of a node, and the place of a key (chmpx 1.0.113, lib/chmhash.cc:44-116; docs/facts.md C13).

/// The sources of ids (`CHMPXIDTYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdType {
    /// Of the name and the control port.
    Name,
    /// Of the CUK.
    Cuk,
    /// Of the endpoints of the control port.
    CtlEndpoints,
    /// Of `CUSTOM_ID_SEED`.
    Custom,
}

impl IdType {
    /// Reads `CHMPXIDTYPE`; an absent one is NAME.
    pub fn read(text: &str) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "CUK" => Self::Cuk,
            "CTLENDPOINTS" | "CTLEPS" => Self::CtlEndpoints,
            "CUSTOM" => Self::Custom,
            _ => Self::Name,
        }
    }

    /// The word that DUMP prints.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Cuk => "cuk",
            Self::CtlEndpoints => "ctlendpoints",
            Self::Custom => "custom",
        }
    }
}

/// The id of a node of `group` whose own part of the seed is `seed`.
pub fn chmpxid(group: &str, seed: &str) -> u64 {
    let text = format!("{group}:{seed}");
    let bytes = text.as_bytes();
    let shorter = &bytes[..bytes.len().saturating_sub(1)];
    let id = (fnv1a(bytes) & 0xffff_ffff) << 32 | (fnv1a(shorter) & 0xffff_ffff);
    if id == u64::MAX { u64::MAX - 1 } else { id }
}

/// Computes where a key belongs: a stable hash, to be divided by the number of slots. Not k2hash's own, but as even.
pub fn key_hash(key: &str) -> u64 {
    let mut hash = fnv1a(key.as_bytes());
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

/// FNV-1a over signed characters: a byte above 127 goes in with its sign.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(14_695_981_039_346_656_037, |hash, byte| {
        let signed = i64::from(byte.cast_signed()).cast_unsigned();
        (hash ^ signed).wrapping_mul(1_099_511_628_211)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_that_chmpx_printed() {
        assert_eq!(chmpxid("LAB", "node1"), 0xa0e4_3ff5_1752_5386);
        assert_eq!(chmpxid("LAB", "node2"), 0xa0e4_3adc_1752_5386);
        assert_eq!(chmpxid("LAB", "192.0.2.2:7595"), 0x2386_9f04_f613_bad9);
    }

    #[test]
    fn keys_spread_evenly() {
        let first = (0..60).filter(|n| key_hash(&format!("key-{n}")).is_multiple_of(2)).count();
        assert!((22..=38).contains(&first), "{first} of 60");
    }
}
