//! How much of its time a server spends waiting.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::lab::Lab;
use crate::load::{Load, Plan};
use crate::results::Charts;

const SERVER: &str = "zen-single";

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let time = lab.pick([100.0, 500.0, 2000.0]);
    for run in 0..lab.runs() {
        for pause in [0.0, 1.0, 10.0, 40.0, 100.0] {
            lab.tell(run, &format!("a client {pause} ms away"));
            for subject in lab.servers(SERVER) {
                let server = lab.start(&subject, &[])?;
                let mut load = Load::connect(server.address, 1)?;
                load.ask(Plan::new(10))?;
                // Without a pause an answer takes about 0.05 ms.
                let rounds = (time / f64::max(pause, 0.1)) as usize + 1;
                let pause_time = Duration::from_secs_f64(pause / 1e3);
                let plan = Plan { pause: pause_time, ..Plan::new(rounds) };
                let begun = Instant::now();
                let (_, cpu) = lab.cpu(&server, || load.ask(plan))?;
                let elapsed = begun.elapsed().as_secs_f64();
                let share = cpu.map(|cpu| 100.0 * cpu / elapsed);
                charts.record("work", &subject.name, pause, share);
                drop(load);
                server.stop()?;
            }
        }
    }
    Ok(())
}
