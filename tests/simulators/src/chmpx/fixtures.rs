//! Files and rings for the unit tests.

use k2hdkc_agent::acceptance::{self, Host};
use k2hdkc_agent::ring::Ring;

use super::own::Identity;

/// Returns the identity of the reader, server 1.
pub(crate) fn identity() -> Identity {
    Identity::default()
}

/// A file of those servers and slaves, as server 1 has it.
pub(crate) fn ini(servers: &[usize], slaves: &[usize]) -> String {
    let mut text = "[GLOBAL]\nFILEVERSION = 1\nGROUP = LAB\nMODE = SERVER\nDELIVERMODE = hash\nCHMPXIDTYPE = CUSTOM\n\
                    REPLICA = 1\nAUTOMERGE = on\nDOMERGE = on\nMAXCHMPX = 16\nSELFCTLPORT = 8021\nSELFCUK = cuk-1\n"
        .to_owned();
    for n in servers {
        text.push_str(&format!(
            "[SVRNODE]\nNAME = 127.1.0.{n}\nPORT = 8020\nCTLPORT = 8021\nCUK = cuk-{n}\nCUSTOM_ID_SEED = seed-{n}\n"
        ));
    }
    for n in slaves {
        text.push_str(&format!(
            "[SLVNODE]\nNAME = 127.2.0.{n}\nCTLPORT = 8031\nCUK = slave-{n}\nCUSTOM_ID_SEED = slave-seed-{n}\n"
        ));
    }
    text.push_str("[K2HDKC]\nK2HTYPE = mem\n");
    text
}

/// The ring of such a file.
pub(crate) fn ring(servers: &[usize], slaves: &[usize]) -> Ring {
    acceptance::read(&k2hdkc_agent::ini::parse(&ini(servers, slaves)), &Host::default()).ring
}
