//! Clients that connect and send nothing.

use anyhow::Result;

use crate::crowd::visit;
use crate::lab::Lab;
use crate::load::Load;
use crate::results::Charts;

pub(super) const SERVERS: &str = "zen-single zen-threaded zen-legacy zen-fork \
                                  zen-poll zen-coroutine";

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let all: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 39, 40, 41, 1000];
    let crowds = lab.pick([&[0, 1, 4][..], all, all]);
    let limit = lab.pick([0.2, 0.5, 1.0]);
    charts.get("wait").limit = Some(limit);
    for run in 0..lab.runs() {
        for &clients in crowds {
            lab.tell(run, &format!("{clients} silent clients"));
            for subject in lab.servers(SERVERS) {
                let server = lab.start(&subject, &[])?;
                let crowd = Load::connect(server.address, clients)?;
                let x = clients as f64;
                let time = visit(server.address, limit)?;
                charts.record("wait", &subject.name, x, time);
                lab.record_counts(charts, &subject, &server, x)?;
                drop(crowd);
                server.stop()?;
            }
        }
    }
    Ok(())
}
