//! The text of DUMP. Addresses in memory, counters and queues only look like the real ones.

use super::picture::{Picture, Sockets, socket};
use super::row::Row;

const RULE: &str = "==========================================================================\n";
const THIN: &str = "--------------------------------------------------------------------------\n";

/// The whole text.
pub fn text(picture: &Picture) -> String {
    [head(picture), settings(picture), queues(picture), ring(picture), tail(picture)].concat()
}

fn head(picture: &Picture) -> String {
    format!(
        "{RULE}Shared memory file path   = {}\nShared memory file size   = 6923992\nShared memory file fd     = 5\n\
         Shared memory file Object = 0x7fb3d2d65000\nConfiguration object      = 0x5557ed00e750\n\
         K2HASH Object             = {}\n{RULE}Shared memory file Object\n{THIN}",
        picture.shm, picture.k2h
    )
}

fn settings(picture: &Picture) -> String {
    let yes = |truth: bool| if truth { "yes" } else { "no" };
    let number = |key: &str| picture.number(key).to_string();
    let retry = |key: &str, default: i32| {
        let said = picture.number(key);
        if said < 0 { default } else { said }.to_string()
    };
    let queues = picture.number("MAXMQSERVER") + picture.number("MAXMQCLIENT");
    let min_version = picture.settings.get("SSL_MIN_VER").filter(|version| *version != "DEFAULT");
    let lines = [
        ("CHMINFO version", "CHMINFO_VERSION 1.1".to_owned()),
        ("CHMINFO size", "34704".to_owned()),
        ("pid", picture.pid.to_string()),
        ("start_time", picture.start_time.to_string()),
        ("chmpxid_type", picture.id_type.clone()),
        ("is_random_deliver", picture.is_random().to_string()),
        ("automerge in conf", yes(picture.automerge).to_owned()),
        ("suspend automerge", yes(picture.suspended).to_owned()),
        ("domerge in conf", picture.word("DOMERGE", "yes", "no").to_owned()),
        ("SSL/TLS min version", min_version.map_or("(default)".to_owned(), Clone::clone)),
        ("NSSDB dir path", picture.settings.get("NSSDB_DIR").cloned().unwrap_or_default()),
        ("socket thread count", number("SOCKTHREADCNT")),
        ("MQ thread count", number("MQTHREADCNT")),
        ("max_mqueue", queues.to_string()),
        ("chmpx_mqueue", number("MAXMQSERVER")),
        ("max_q_per_chmpxmq", number("MAXQPERSERVERMQ")),
        ("max_q_per_cltmq", number("MAXQPERCLIENTMQ")),
        ("max_mq_per_client", number("MAXMQPERCLIENT")),
        ("mq_per_attach", number("MQPERATTACH")),
        ("mq_ack", picture.word("MQACK", "true", "false").to_owned()),
        ("Max socket pool", number("MAXSOCKPOOL")),
        ("sock pool timeout", number("SOCKPOOLTIMEOUT")),
        ("sock retry count", retry("RETRYCNT", 500)),
        ("sock timeout", number("RWTIMEOUT")),
        ("connect timeout", number("CONTIMEOUT")),
        ("MQ retry count", number("MQRETRYCNT")),
        ("MQ timeout", number("MQRWTIMEOUT")),
        ("merge timeout", number("MERGETIMEOUT")),
    ];
    lines.map(|(name, value)| format!("{name:<20} = {value}\n")).concat()
}

fn queues(picture: &Picture) -> String {
    let base = picture.own.id & 0xffff_ffff_0000_0000;
    let count = u64::try_from(picture.number("MAXMQSERVER")).unwrap_or_default();
    let queue = |index: u64, number: u64, pid: u32, flag: &str| {
        format!(
            "  [{index}] = {{\n    prev = 0\n    next = 0\n    msghead{{\n      msgid  = {:#018x}\n      \
             pid    = {pid}\n      flag   = {flag}\n    }}\n  }}\n",
            base + number
        )
    };
    let own = (0..count)
        .map(|index| queue(index, count - 1 - index, picture.pid, "0x7 - [Chmpx][Assigned][Activated]"));
    let clients = picture.clients.iter().zip(0..);
    let theirs =
        clients.map(|(pid, index)| queue(index, count + index, *pid, "0xb - [Client][Assigned][Activated]"));
    let list = |lines: String| {
        if lines.is_empty() { "0\n".to_owned() } else { format!("0x693048\n{{\n{lines}}}\n") }
    };
    let active = picture.clients.len();
    let free = usize::try_from(picture.number("MAXMQCLIENT")).unwrap_or_default().saturating_sub(active);
    let (own, theirs): (String, String) = (own.collect(), theirs.collect());
    format!(
        "base_msgid           = {base}\nchmpx_msg_count      = {count}\nchmpx_msgs           = {}\
         activated_msg_count  = {active}\nactivated_msgs       = {}assigned_msg_count   = 0\n\
         assigned_msgs        = 0\nfree_msg_count       = {free}\nfree_msgs            = 0x693068\n\
         last_msgid_chmpx     = 0xffffffffffffffff\nlast_msgid_activated = 0xffffffffffffffff\n\
         last_msgid_assigned  = 0xffffffffffffffff\n",
        list(own),
        list(theirs)
    )
}

fn ring(picture: &Picture) -> String {
    let rows = &picture.servers;
    let pending: Vec<u64> = if picture.pending.is_empty() {
        rows.iter().map(|_| u64::MAX).collect()
    } else {
        picture.pending.clone()
    };
    let numbered = |rows: &[Row]| -> String {
        let one = |(index, row): (usize, &Row)| {
            format!(
                "    [{index}] = {{\n      prev = 0\n      next = 0\n      same = 0\n      chmpx{{\n{}      }}\n    }}\n",
                one_row(picture, row, "        ")
            )
        };
        rows.iter().enumerate().map(one).collect()
    };
    let list = |rows: &[Row]| {
        if rows.is_empty() { "0\n".to_owned() } else { format!("0x87e8\n  {{\n{}  }}\n", numbered(rows)) }
    };
    format!(
        "chmpx_man{{\n  group              = {}\n  cfg_revision       = {}\n  cfg_date           = {}\n  \
         replica_count      = {}\n  chmpx_count        = {}\n  chmpxid_map[4096]\n  \
         chmpx_base_srvs    = 0x691fe8\n{}  chmpx_pend_srvs    = 0x6927e8\n{}  chmpx_self         = 0x87e8\n  \
         {{\n{}  }}\n  chmpx_bhash_count  = {}\n  chmpx_server_count = {}\n  chmpx_servers      = {}  \
         chmpx_slave_count  = {}\n  chmpx_slaves       = {}  chmpx_free_count   = {}\n  \
         chmpx_frees        = 0x22a48\n  sock_free_count    = 1021\n  sock_frees         = 0x694720\n  \
         is_operating       = {}\n  last_chmpxid       = 0xffffffffffffffff\n{}{}}}\n",
        picture.group,
        picture.fileversion,
        picture.date,
        picture.replicas,
        picture.number("MAXCHMPX"),
        ids(&picture.base),
        ids(&pending),
        one_row(picture, &picture.own, "    "),
        picture.base.len(),
        rows.len(),
        list(rows),
        picture.slaves.len(),
        list(&picture.slaves),
        picture.free,
        if picture.is_operating() { "yes" } else { "no" },
        stat("server_stat"),
        stat("slave_stat")
    )
}

fn ids(ids: &[u64]) -> String {
    let lines: String =
        ids.iter().enumerate().map(|(index, id)| format!("    [{index}] = {id:#018x}\n")).collect();
    format!("  [{}] {{\n{lines}  }}\n", ids.len())
}

fn one_row(picture: &Picture, row: &Row, indent: &str) -> String {
    let (base, pending) = picture.slots(row);
    let hash = |slot: u64| if slot == 0 { "0".to_owned() } else { format!("{slot:#x}") };
    let Sockets { peer, own, control } = picture.sockets(row);
    let [endpoints, ctlendpoints, forward, reverse] = row.lists.clone();
    let mode = if row.port < 0 { "slave" } else { "server" };
    let lines = [
        ("chmpxid", format!("{:#018x}", row.id)),
        ("name", row.name.clone()),
        ("mode", mode.to_owned()),
        ("base_hash", hash(base)),
        ("pending_hash", hash(pending)),
        ("port", row.port.to_string()),
        ("ctlport", row.ctlport.to_string()),
        ("cuk", row.cuk.clone()),
        ("custom_seed", row.seed.clone()),
        ("endpoints", endpoints),
        ("ctlendpoints", ctlendpoints),
        ("forward_peers", forward),
        ("reverse_peers", reverse),
        ("is_ssl", row.ssl.to_string()),
        ("verify_peer", "false".to_owned()),
        ("is_ca_file", "false".to_owned()),
        ("capath", String::new()),
        ("server_cert", String::new()),
        ("server_prikey", String::new()),
        ("slave_cert", String::new()),
        ("slave_prikey", String::new()),
        ("sock", socket(peer)),
        ("ctlsock", "-1".to_owned()),
        ("selfsock", socket(own)),
        ("selfctlsock", socket(control)),
        ("last_status_time", Picture::moment(row.stamp).to_string()),
        ("status", row.status.to_string()),
    ];
    lines.map(|(name, value)| format!("{indent}{name:<16} = {value}\n")).concat()
}

fn stat(name: &str) -> String {
    let counts =
        ["total_sent_count", "total_received_count", "total_body_bytes", "min_body_bytes", "max_body_bytes"];
    let times = ["total_elapsed_time", "min_elapsed_time", "max_elapsed_time"];
    let counts = counts.map(|name| format!("    {name:<20} = 0\n")).concat();
    let times = times.map(|name| format!("    {name:<20} = 0s 0ns\n")).concat();
    format!("  {name}{{\n{counts}{times}  }}\n")
}

fn tail(picture: &Picture) -> String {
    let pids: String = picture
        .clients
        .iter()
        .enumerate()
        .map(|(index, pid)| format!("  [{index}] = {{\n    prev = 0\n    next = 0\n    pid  = {pid}\n  }}\n"))
        .collect();
    let clients = if pids.is_empty() { "0\n".to_owned() } else { format!("0x693268\n{{\n{pids}}}\n") };
    format!(
        "rel_chmpxmsgarea     = 0x692fe8\nclient_pids          = {clients}free_pids            = 0x693280\n\
         k2hash full map      = {}\ninit k2h mask bit    = {}\ninit k2h cmask bit   = {}\n\
         k2hash max element   = {}\nhistory log count    = {}\n{RULE}",
        picture.word("K2HFULLMAP", "yes", "no"),
        picture.number("K2HMASKBIT"),
        picture.number("K2HCMASKBIT"),
        picture.number("K2HMAXELE"),
        picture.number("MAXHISTLOG")
    )
}
