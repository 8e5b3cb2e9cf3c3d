//! What a server is made of while clients are silent.

use crate::architecture::Architecture;
use crate::case::{Named, functions};
use crate::observe::{growth, observation};
use crate::outcome::{Crowd, Observation};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, ensure};

pub(super) const FUNCTIONS: &[Named] = functions![
    silent_clients_add_neither_threads_nor_processes,
    each_silent_client_has_a_thread,
    each_silent_client_has_a_process,
    it_has_as_many_workers_as_it_says,
];

/// Growth up to this many for 49 clients is not growth with the clients: a
/// runtime may start a thread at any time.
const SLACK: usize = 4;

fn seen(subject: &Subject) -> Verdict<&Observation> {
    let seen = observation(subject);
    let countable = seen
        .filter(|seen| seen.crowds.iter().all(|crowd| crowd.threads.is_some()));
    countable.ok_or_else(|| {
        Fault::skipped("its threads and processes cannot be counted here")
    })
}

/// What was counted, for a failure.
fn counted(crowds: &[Crowd]) -> String {
    let of = |number: fn(&Crowd) -> Option<usize>| {
        let numbers = crowds.iter().filter_map(number);
        numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
    };
    format!(
        "with {} silent clients it has {} threads in {} processes",
        of(|crowd| Some(crowd.clients)),
        of(|crowd| crowd.threads),
        of(|crowd| crowd.processes),
    )
}

fn silent_clients_add_neither_threads_nor_processes(
    subject: &Subject,
) -> Verdict {
    let crowds = &seen(subject)?.crowds;
    // The threads of a pool may wait to be started until they are needed.
    let workers = subject.architecture.and_then(Architecture::workers);
    let most = SLACK.max(workers.unwrap_or(0));
    for number in
        [|crowd: &Crowd| crowd.threads, |crowd: &Crowd| crowd.processes]
    {
        let more = growth(crowds, number).unwrap_or(0);
        ensure!(more <= most, "{}", counted(crowds));
    }
    Ok(())
}

fn each_silent_client_has_a_thread(subject: &Subject) -> Verdict {
    let crowds = &seen(subject)?.crowds;
    let threads = growth(crowds, |crowd| crowd.threads).unwrap_or(0);
    let processes = growth(crowds, |crowd| crowd.processes).unwrap_or(0);
    let each = (49..49 + SLACK).contains(&threads);
    ensure!(each && processes == 0, "{}", counted(crowds));
    Ok(())
}

fn each_silent_client_has_a_process(subject: &Subject) -> Verdict {
    let crowds = &seen(subject)?.crowds;
    let processes = growth(crowds, |crowd| crowd.processes).unwrap_or(0);
    let most = subject.at_once(50) - 1;
    ensure!(processes >= most.min(39), "{}", counted(crowds));
    Ok(())
}

fn it_has_as_many_workers_as_it_says(subject: &Subject) -> Verdict {
    let crowds = &seen(subject)?.crowds;
    let workers = subject.architecture.and_then(Architecture::workers);
    let threads = crowds.last().and_then(|crowd| crowd.threads);
    // A thread that only accepts or waits may stand beside them.
    ensure!(threads >= workers, "{}", counted(crowds));
    Ok(())
}
