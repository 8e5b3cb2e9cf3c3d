//! Every answer takes a while to work out.

use std::time::Duration;

use anyhow::Result;

use crate::crowd::{Errand, burst};
use crate::lab::Lab;
use crate::results::Charts;

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let all: &[usize] = &[1, 2, 4, 5, 8, 12, 16];
    let crowds = lab.pick([&[1, 4, 16][..], all, all]);
    let names = "zen-single zen-threaded zen-legacy zen-fork zen-poll \
                 zen-callback zen-coroutine";
    for run in 0..lab.runs() {
        for &clients in crowds {
            lab.tell(run, &format!("{clients} clients"));
            for subject in lab.listings(names) {
                let server = lab.start(&subject, &["--think", "20"])?;
                let time_max = Duration::from_secs(10);
                let times =
                    burst(server.address, clients, Errand::Ask, time_max)?;
                let last = times.last().map(Duration::as_secs_f64);
                charts.record("wait", &subject.name, clients as f64, last);
                server.stop()?;
            }
        }
    }
    Ok(())
}
