//! A burst of clients arrives while the server is busy.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::crowd::{Errand, burst, visit};
use crate::lab::Lab;
use crate::results::Charts;

const BACKLOGS: [&str; 3] = ["5", "64", "4096"];

pub(super) fn make(lab: &mut Lab, charts: &mut Charts) -> Result<()> {
    let clients = lab.pick([20, 100, 100]);
    let time_max = Duration::from_secs_f64(lab.pick([0.6, 4.5, 10.0]));
    charts.get("connect").limit = Some(time_max.as_secs_f64());
    for run in 0..lab.runs() {
        for backlog in BACKLOGS {
            lab.tell(run, &format!("a backlog of {backlog}"));
            for subject in lab.listings("zen-poll") {
                let options = ["--backlog", backlog, "--think", "300"];
                let server = lab.start(&subject, &options)?;
                // After that the server has nothing else to do.
                ensure!(visit(server.address, 10.0)? < 10.0, "no answer");
                let mut busy = TcpStream::connect(server.address)?;
                busy.write_all(b"Beautiful is better than?")?;
                // The server has accepted that client, and works on its answer.
                std::thread::sleep(Duration::from_millis(50));
                let connected =
                    burst(server.address, clients, Errand::Connect, time_max)?;
                let series = format!("backlog of {backlog}");
                for (index, time) in connected.into_iter().enumerate() {
                    let x = (index + 1) as f64;
                    charts.record("connect", &series, x, time.as_secs_f64());
                }
                drop(busy);
                server.stop()?;
            }
        }
    }
    Ok(())
}
