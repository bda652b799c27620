//! The answers of a real chmpx that the tests read; what they are stands in the README beside them.

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../tests/recorded/chmpx/", $name))
    };
}

pub(crate) const DUMP_WITHOUT_K2HDKC: &str = recorded!("dump-server-without-k2hdkc.txt");
pub(crate) const DUMP_IN_SERVICE: &str = recorded!("dump-server-in-service.txt");
pub(crate) const DUMP_SLAVE: &str = recorded!("dump-slave.txt");
pub(crate) const SELFSTATUS_WITHOUT_K2HDKC: &str = recorded!("selfstatus-server-without-k2hdkc.txt");
pub(crate) const SELFSTATUS_IN_SERVICE: &str = recorded!("selfstatus-server-in-service.txt");
pub(crate) const SELFSTATUS_SLAVE: &str = recorded!("selfstatus-slave.txt");
pub(crate) const ALLSTATUS_WITHOUT_K2HDKC: &str = recorded!("allstatus-server-without-k2hdkc.txt");
pub(crate) const ALLSTATUS_IN_SERVICE: &str = recorded!("allstatus-server-in-service.txt");
pub(crate) const ALLSTATUS_SLAVE: &str = recorded!("allstatus-slave.txt");
pub(crate) const CHMPXSTATUS_IN_SERVICE: &str = recorded!("chmpxstatus-server-in-service.txt");
pub(crate) const CHMPXSTATUS_SELF_SERVER: &str = recorded!("chmpxstatus-self-server.txt");
pub(crate) const CHMPXSTATUS_SELF_SLAVE: &str = recorded!("chmpxstatus-self-slave.txt");
pub(crate) const CHMPXSTATUS_WAIT_SUCCEEDED: &str = recorded!("chmpxstatus-wait-succeeded.txt");
pub(crate) const CHMPXSTATUS_WAIT_FAILED: &str = recorded!("chmpxstatus-wait-failed.txt");
pub(crate) const TRACEVIEW_SET_AND_GET: &str = recorded!("traceview-one-set-and-get.txt");
pub(crate) const TRACEVIEW_FILTERED: &str = recorded!("traceview-filtered.txt");
pub(crate) const ONE_LINE_ANSWERS: &str = recorded!("one-line-answers.txt");
pub(crate) const STATUS_TEXTS: &str = recorded!("status-texts.txt");
