//! A short stable name for a value: equal text, equal name, on every node and in every version of the agent.

/// FNV-1a over `bytes` as 16 hexadecimal digits.
///
/// Not a cryptographic hash: it tells generations apart in the ledger and in `confirm`, and every writer of
/// that text could write the file as well. The standard library's hasher is not stable between versions.
pub(crate) fn of(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_published_fnv_1a() {
        assert_eq!(super::of(b""), "cbf29ce484222325");
        assert_eq!(super::of(b"foobar"), "85944171f73967e8");
    }
}
