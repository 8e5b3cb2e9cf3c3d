//! A server of several processes: what becomes of the others when one of them
//! is told to end, or stands still.

use zen_harness::system::{self, SIGCONT, SIGSTOP, SIGTERM};

use super::prelude::*;

pub(super) const FUNCTIONS: &[Named] = functions![
    a_client_that_leaves_waits_for_no_other_process,
    one_process_that_is_told_to_end_ends_alone,
];

fn a_client_that_leaves_waits_for_no_other_process(
    subject: &Subject,
) -> Verdict {
    let server = subject.start(&[])?;
    let mut clients = server.served(2)?;
    server.stop_listener(SIGSTOP)?;
    let left = clients.iter_mut().try_for_each(|client| {
        client.leave().map_err(|fault| {
            fault.after("while the process that accepts stands still")
        })
    });
    server.stop_listener(SIGCONT)?;
    left?;
    server.connect()?.asks()?.leave()
}

fn one_process_that_is_told_to_end_ends_alone(subject: &Subject) -> Verdict {
    let mut server = subject.start(&[])?;
    let mut clients = server.served(subject.at_once(4))?;
    let parent = server.process()?;
    let children = || {
        let mut family = process::family(parent)?;
        family.retain(|&one| one != parent && one != server.listener());
        Ok::<_, Fault>(family)
    };
    let Some(one) = children()?.pop() else {
        return Err(Fault::skipped("it is one process"));
    };
    subject.note("one of the server's processes gets SIGTERM");
    system::signal(one, SIGTERM)?;
    wait_until("ended: the process that was told to", PATIENCE, || {
        Ok(!process::family(parent)?.contains(&one))
    })?;
    // The others have time to notice, should it be their affair as well.
    thread::sleep(Duration::from_millis(100));
    for _ in 0..20 {
        let next = server.connect().and_then(|mut next| next.asks()?.leave());
        next.map_err(|fault| {
            fault.after(
                "one of its processes was told to end, and now another client",
            )
        })?;
    }
    if subject.is(Architecture::is_process_per_client) {
        let of_others = |client: &&mut Client| server.holds(client.address);
        let others = clients.iter_mut().filter(of_others);
        let answered = others.map(|client| client.asks().map(drop));
        let answered = answered.collect::<Verdict<Vec<_>>>()?.len();
        let expected = clients.len() - 1;
        ensure!(
            answered == expected,
            "one process of several was told to end, and {answered} clients of \
            the others are left, not {expected}"
        );
    }
    // A listing's parent says which of its loops has gone. A child that has
    // served its one client is not worth a line.
    if subject.is_listing() && !subject.is(Architecture::is_process_per_client)
    {
        server.expect_line(&format!("Process {one} has ended"))?;
    }
    server.stop()
}
