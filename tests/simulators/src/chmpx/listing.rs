//! The texts of SELFSTATUS and ALLSTATUS ("Endppoints" is chmpx's spelling).

use super::date::moment;
use super::picture::{Picture, Sockets};
use super::row::Row;

/// ALLSTATUS: every server that this one knows.
pub fn all(picture: &Picture) -> String {
    let mut text = format!("RING Name              = {}\n", picture.group);
    for (index, row) in picture.servers.iter().enumerate() {
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
