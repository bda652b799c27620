//! The texts of SELFSTATUS and ALLSTATUS ("Endppoints" is chmpx's spelling).

use super::picture::{Picture, Sockets};
use super::table::Row;

/// ALLSTATUS: every server that this one knows.
pub fn all(picture: &Picture) -> String {
    let mut text = format!("RING Name              = {}\n", picture.group);
    for (index, row) in picture.servers.rows().iter().enumerate() {
        let (base, pending) = picture.slots(row);
        let ssl = if row.ssl { "yes" } else { "no" };
        let [endpoints, ctlendpoints, forward, reverse] = &row.lists;
        text.push_str(&format!(
            "No.{}\n  Server Name          = {}\n    Port               = {}\n    Control Port       = {}\n    \
             CUK                = {}\n    Custom ID Seed     = {}\n    Endpoints          = {endpoints}\n    \
             Control Endppoints = {ctlendpoints}\n    Forward Peers      = {forward}\n    \
             Reverse Peers      = {reverse}\n    Use SSL            = {ssl}\n    \
             Server Status      = {}\n    Last Update        = {}\n    Enable Hash Value  = {base:#x}\n    \
             Pending Hash Value = {pending:#x}\n",
            index + 1,
            row.name,
            row.port,
            row.ctlport,
            row.cuk,
            row.seed,
            status(row),
            moment(row.stamp)
        ));
    }
    text
}

/// SELFSTATUS: this node.
pub fn own(picture: &Picture) -> String {
    let row = &picture.own;
    let (base, pending) = picture.slots(row);
    let queues = picture.number("MAXMQSERVER") + picture.number("MAXMQCLIENT");
    let Sockets { own, control, .. } = picture.sockets(row);
    let socket = |number: Option<usize>| number.map_or("n/a".to_owned(), |number| number.to_string());
    let [endpoints, ctlendpoints, forward, reverse] = &row.lists;
    let head = format!(
        "Server Name               = {}\nInternal ID               = {:#018x}\nRING Name                 = {}\n\
         Mode                      = {}\nMaximum MQ Count          = {queues}\n\
         Maximum Queue / Chmpx MQ  = {}\nMaximum Queue / Client MQ = {}\nStatus                    = {{\n    \
         Server Status         = {}\n    Last Update           = {}\n}}\n",
        row.name,
        row.id,
        picture.group,
        if picture.is_server { "Server" } else { "Slave" },
        picture.number("MAXQPERSERVERMQ"),
        picture.number("MAXQPERCLIENTMQ"),
        status(row),
        moment(row.stamp)
    );
    let connection = format!(
        "Hash                      = {{\n    Enable Hash Value     = {base:#x}\n    \
         Pending Hash Value    = {pending:#x}\n}}\nConnection                = {{\n    \
         Port(socket)          = {}({})\n    Control Port(socket)  = {}({})\n    CUK                   = {}\n    \
         Custom ID Seed        = {}\n    Endpoints             = {endpoints}\n    \
         Control Endppoints    = {ctlendpoints}\n    Forward Peers         = {forward}\n    \
         Reverse Peers         = {reverse}\n    SSL Connection        = {}\n}}\n",
        row.port,
        socket(own),
        row.ctlport,
        socket(control),
        row.cuk,
        row.seed,
        if row.ssl { "yes" } else { "no" }
    );
    let counts = format!(
        "Connection Count          = {{\n    To Servers            = {}\n    From Slaves           = {}\n    \
         On Control port       = 1\n}}\n",
        picture.linked.len() + usize::from(picture.is_server),
        picture.slaves.len()
    );
    let stat = |name: &str| {
        let bytes = |name: &str| format!("        {name:<17} = 0 bytes\n");
        let time = |name: &str| format!("        {name:<17} = 0s 0ns\n");
        let lines = ["send count", "receive count"].map(|name| format!("        {name:<17} = 0 count\n"));
        let names = ["total", "minimum", "maximum"];
        let rest: String = names.map(bytes).into_iter().chain(names.map(time)).collect();
        format!("    {name:<21} = {{\n{}{rest}    }}\n", lines.concat())
    };
    let stats = format!(
        "Stats                     = {{\n{}{}}}\n",
        stat("To(From) Servers"),
        stat("To(From) Slaves")
    );
    format!("{head}{connection}{counts}{stats}")
}

fn status(row: &Row) -> String {
    format!("{:#x}({})", row.status.bits(), row.status)
}

/// `2026-11-22 02h 25m 41s 135ms 28us(30120374...)`, in UTC.
fn moment(stamp: u64) -> String {
    let (seconds, micros) = (stamp / 1_000_000, stamp % 1_000_000);
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}h {minute:02}m {second:02}s {}ms {}us({})",
        micros / 1000,
        micros % 1000,
        Picture::moment(stamp)
    )
}

/// Days since 1970 as year, month and day (the usual era arithmetic).
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_chmpx_does() {
        let stamp = 1_795_314_320 * 1_000_000 + 227_202;
        assert_eq!(moment(stamp), "2026-11-22 02h 25m 20s 227ms 202us(30120376134760322)");
    }
}
