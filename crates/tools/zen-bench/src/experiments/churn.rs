//! A new connection for each question.

use std::time::Duration;

use anyhow::{Context, Result};
use zen_harness::process::wait_for;
use zen_harness::server::Server;

use crate::crowd::{Errand, burst};
use crate::gauge;
use crate::lab::Lab;
use crate::load::{Load, Plan};
use crate::results::Charts;

/// This many connect at once; the next follow when they have disconnected.
const AT_ONCE: usize = 8;

const NEW: &str = "on a new connection";
const OLD: &str = "on the same connection";

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let bursts = lab.pick([3, 50, 200]);
    let subjects = lab.servers(super::silent::SERVERS);
    let names = subjects.iter().map(|it| it.name.clone());
    charts.get("price").x.names = names.collect();
    for run in 0..lab.runs() {
        for (x, subject) in subjects.iter().enumerate() {
            lab.tell(run, &subject.name);
            let server = lab.start_for(subject, AT_ONCE)?;
            let visits = |times: usize| -> Result<()> {
                for _ in 0..times {
                    let time_max = Duration::from_secs(10);
                    burst(server.address, AT_ONCE, Errand::Ask, time_max)?;
                }
                alone(&server)
            };
            visits(2)?;
            let (_, on_new) = lab.cpu(&server, || visits(bursts))?;
            let clients = if subject.name == "zen-single" { 1 } else { 8 };
            let mut load = Load::connect(server.address, clients)?;
            let rounds = AT_ONCE * bursts / clients;
            load.ask(Plan::new(2))?;
            let (_, on_old) =
                lab.cpu(&server, || load.ask(Plan::new(rounds)))?;
            for (series, cpu) in [(NEW, on_new), (OLD, on_old)] {
                let each = cpu.map(|cpu| cpu * 1e6 / (AT_ONCE * bursts) as f64);
                charts.record("price", series, x as f64, each);
            }
            drop(load);
            server.stop()?;
        }
    }
    Ok(())
}

/// Waits until only the first process is left, so that the others have all been
/// counted.
fn alone(server: &Server) -> Result<()> {
    let alone = wait_for(Duration::from_secs(2), || -> Result<_> {
        let gauge = gauge::read(server.id())?;
        Ok(gauge.is_none_or(|it| it.processes <= 1).then_some(()))
    });
    alone?.context("its processes do not end")
}
