//! Recorded answers of a real chmpx; the README beside them describes each.

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../tests/recorded/chmpx/", $name))
    };
}

pub(crate) const DUMP_WITHOUT_K2HDKC: &str = recorded!("dump-server-without-k2hdkc.txt");
pub(crate) const DUMP_IN_SERVICE: &str = recorded!("dump-server-in-service.txt");
pub(crate) const DUMP_SLAVE: &str = recorded!("dump-slave.txt");
pub(crate) const ALLSTATUS_WITHOUT_K2HDKC: &str = recorded!("allstatus-server-without-k2hdkc.txt");
pub(crate) const ALLSTATUS_IN_SERVICE: &str = recorded!("allstatus-server-in-service.txt");
pub(crate) const ALLSTATUS_SLAVE: &str = recorded!("allstatus-slave.txt");
pub(crate) const CHMPXSTATUS_IN_SERVICE: &str = recorded!("chmpxstatus-server-in-service.txt");
pub(crate) const ONE_LINE_ANSWERS: &str = recorded!("one-line-answers.txt");
pub(crate) const STATUS_TEXTS: &str = recorded!("status-texts.txt");
