//! What every server of the workspace uses, side by side, and a table for each
//! of them.

use anyhow::Result;

use super::rates;
use crate::crowd::visit;
use crate::lab::{Lab, Subject};
use crate::load::Load;
use crate::results::Charts;
use crate::schedule::Pace;

const CROWDS: [usize; 4] = [0, 1, 5, 50];

/// The series of the processor time, and the number of clients that ask.
const ASKING: [(&str, usize); 2] =
    [("1 client asks", 1), ("16 clients ask", 16)];

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    // For a server that inetd starts, its stand-in for inetd is counted too.
    let subjects = lab.servers(&lab.names());
    let names = subjects.iter().map(|it| it.name.clone());
    charts.get("price").x.names = names.collect();
    for run in 0..lab.runs() {
        for (x, subject) in subjects.iter().enumerate() {
            lab.tell(run, &subject.name);
            silent(lab, subject, charts)?;
            for (series, clients) in ASKING {
                // While one client is connected, it serves no other.
                if subject.name == "zen-single" && clients > 1 {
                    continue;
                }
                let (_, cost) =
                    rates::drive(lab, subject, clients, 1, Pace::Closed)?;
                charts.record("price", series, x as f64, cost);
            }
        }
    }
    Ok(())
}

/// Counts everything for a server with its default options, crowd by crowd.
fn silent(lab: &mut Lab, subject: &Subject, charts: &mut Charts) -> Result<()> {
    // A server that has not answered by then will not accept any more.
    let patience = lab.pick([0.1, 0.3, 1.0]);
    let server = lab.start(subject, &[])?;
    let mut crowd = Vec::new();
    let mut before = 0;
    for clients in CROWDS {
        crowd.push(Load::connect(server.address, clients - before)?);
        before = clients;
        if clients > 0 {
            visit(server.address, patience)?;
        }
        lab.record_counts(charts, subject, &server, clients as f64)?;
    }
    drop(crowd);
    server.stop()?;
    Ok(())
}
