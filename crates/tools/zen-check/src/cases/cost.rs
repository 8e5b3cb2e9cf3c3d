//! What a client costs, as far as that can be seen without counting inside.

use zen_harness::system;

use super::prelude::*;
use crate::client::connected;

pub(super) const FUNCTIONS: &[Named] = functions![
    a_silent_client_costs_400_bytes_at_9000 = |it| silent_clients_cost(it, 400),
    a_silent_client_costs_2_kibibytes_at_9000 =
        |it| silent_clients_cost(it, 2048),
    what_arrives_together_is_answered_together,
];

const CLIENTS: usize = 9000;

fn silent_clients_cost(subject: &Subject, bytes_max: u64) -> Verdict {
    system::raise_own_descriptor_limit(CLIENTS as u64 + 200)?;
    let server = subject.start(&["--quiet"])?;
    let process = server.process()?;
    let mut busy = server.connect()?;
    busy.asks()?;
    let before = process::parts(process)?.memory_bytes;
    let open = process::descriptors(process)?.len();
    let mut silent = Vec::new();
    for _ in 0..CLIENTS {
        let to = server.address;
        silent.push(connected(to, system::connect(to, PATIENCE))?);
        if silent.len() % 1000 == 0 {
            busy.asks()?;
        }
    }
    wait_until("holding them all", PATIENCE, || {
        Ok(process::descriptors(process)?.len() >= open + CLIENTS)
    })?;
    busy.asks()?.leave()?;
    server.connect()?.asks()?.leave()?;
    let each =
        (process::parts(process)?.memory_bytes - before) / CLIENTS as u64;
    // Else their connections would linger in the system's tables.
    silent.iter().try_for_each(system::reset_on_close)?;
    ensure!(
        each <= bytes_max,
        "each silent client costs {each} bytes, and {bytes_max} are allowed"
    );
    Ok(())
}

fn what_arrives_together_is_answered_together(subject: &Subject) -> Verdict {
    let (server, mut client) = subject.start_for_one(&[])?;
    client.asks()?;
    let before = system::segments_received(&client.sock)?;
    let questions = 2560 / COMPLEX.len();
    let fits = system::segment_bytes(&client.sock)?;
    if questions * 8 > fits as usize {
        return Err(Fault::skipped(format!(
            "here a segment holds {fits} bytes only (see the MTU of lo)"
        )));
    }
    // The server sleeps until all of them are there.
    server.freeze()?;
    client.send(&COMPLEX.repeat(questions))?;
    server.thaw()?;
    client.expect(&b"Complex.".repeat(questions))?;
    let segments = system::segments_received(&client.sock)? - before;
    ensure!(
        segments == 1,
        "the answers came in {segments} segments, not in one"
    );
    client.leave()
}
