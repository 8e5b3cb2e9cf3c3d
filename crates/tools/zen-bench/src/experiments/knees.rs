//! A flood of clients that never ask, with an upper limit.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::crowd::visit;
use crate::lab::Lab;
use crate::load::Load;
use crate::results::Charts;

const SERVERS: &str = "zen-threaded zen-legacy zen-fork zen-poll zen-coroutine";

/// How often each client sends a byte. No question exceeds the limit.
const DRIP_EVERY: Duration = Duration::from_millis(50);

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let floods: &[usize] =
        lab.pick([&[0, 20], &[0, 4, 40, 400, 2000], &[0, 4, 40, 400, 2000]]);
    let limit = lab.pick([0.2, 0.5, 1.0]);
    let time = Duration::from_secs_f64(lab.pick([0.2, 0.4, 2.0]));
    charts.get("wait").limit = Some(limit);
    charts.get("silent").limit = Some(limit);
    for run in 0..lab.runs() {
        for &flood in floods {
            lab.tell(run, &format!("a flood of {flood}"));
            for subject in lab.servers(SERVERS) {
                let name = &subject.name;
                let x = flood as f64;
                let server = lab.start(&subject, &[])?;
                let mut flood = Load::connect(server.address, flood)?;
                let wait = visit(server.address, limit)?;
                charts.record("silent", name, x, wait);
                let (elapsed, cpu) = lab.cpu(&server, || {
                    let begun = Instant::now();
                    while begun.elapsed() < time {
                        let next = Instant::now() + DRIP_EVERY;
                        flood.drip();
                        let left =
                            next.saturating_duration_since(Instant::now());
                        std::thread::sleep(left);
                    }
                    Ok(begun.elapsed().as_secs_f64())
                })?;
                let share = cpu.map(|cpu| cpu / elapsed * 1e3);
                charts.record("work", name, x, share);
                flood.drip();
                let wait = visit(server.address, limit)?;
                charts.record("wait", name, x, wait);
                let memory = lab.gauge(&server)?.map(|it| it.memory as f64);
                charts.record("memory", name, x, memory);
                drop(flood);
                server.stop()?;
            }
        }
    }
    Ok(())
}
