//! What a server is made of while clients are silent.

use super::prelude::*;
use crate::observe::{growth, observation};

pub(super) const FUNCTIONS: &[Named] = functions![
    silent_clients_add_neither_threads_nor_processes,
    each_silent_client_has_a_thread,
    each_silent_client_has_a_process,
    it_has_as_many_workers_as_it_says,
];

/// Growth up to this many for 49 clients is not growth with the clients: a
/// runtime may start a thread at any time.
const SLACK: usize = 4;

/// What was counted with one silent client and with fifty.
struct Counted {
    more_threads: usize,
    more_processes: usize,
    /// All of them, at last.
    threads: usize,
    /// All numbers, for a failure.
    words: String,
}

fn counted(subject: &Subject) -> Verdict<Counted> {
    let seen = observation(subject).map(|seen| &seen.crowds);
    let seen = seen.filter(|all| all.iter().all(|it| it.threads.is_some()));
    let crowds = seen.ok_or_else(|| {
        Fault::skipped("its threads and processes cannot be counted here")
    })?;
    let row = |numbers: Vec<Option<usize>>| {
        let numbers = numbers.into_iter().flatten();
        numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
    };
    Ok(Counted {
        more_threads: growth(crowds, |it| it.threads).unwrap_or(0),
        more_processes: growth(crowds, |it| it.processes).unwrap_or(0),
        threads: crowds.last().and_then(|it| it.threads).unwrap_or(0),
        words: format!(
            "with {} silent clients it has {} threads in {} processes",
            row(crowds.iter().map(|it| Some(it.clients)).collect()),
            row(crowds.iter().map(|it| it.threads).collect()),
            row(crowds.iter().map(|it| it.processes).collect()),
        ),
    })
}

fn workers(subject: &Subject) -> usize {
    let workers = subject.architecture.and_then(Architecture::workers);
    workers.unwrap_or(0)
}

fn silent_clients_add_neither_threads_nor_processes(
    subject: &Subject,
) -> Verdict {
    let Counted { more_threads, more_processes, words, .. } = counted(subject)?;
    // The threads of a pool may wait to be started until they are needed.
    let most = SLACK.max(workers(subject));
    ensure!(more_threads <= most && more_processes <= most, "{words}");
    Ok(())
}

fn each_silent_client_has_a_thread(subject: &Subject) -> Verdict {
    let Counted { more_threads, more_processes, words, .. } = counted(subject)?;
    let each = (49..49 + SLACK).contains(&more_threads);
    ensure!(each && more_processes == 0, "{words}");
    Ok(())
}

fn each_silent_client_has_a_process(subject: &Subject) -> Verdict {
    let Counted { more_processes, words, .. } = counted(subject)?;
    let most = subject.at_once(50) - 1;
    ensure!(more_processes >= most.min(39), "{words}");
    Ok(())
}

fn it_has_as_many_workers_as_it_says(subject: &Subject) -> Verdict {
    let Counted { threads, words, .. } = counted(subject)?;
    let workers = workers(subject);
    // A thread that only accepts or waits may stand beside them, and a runtime
    // may have more of its own.
    let most = if subject.is_listing() { workers + 1 } else { usize::MAX };
    ensure!((workers..=most).contains(&threads), "{words}");
    // Whether one of them is a worker too many shows by who is served.
    if subject.is(Architecture::is_pool) {
        let served = subject.served_at_once();
        ensure!(
            served == Some(workers),
            "{words}; {} silent clients are served at once, and a pool of \
            {workers} serves {workers}",
            served.map_or("all".into(), |number| number.to_string())
        );
    }
    Ok(())
}
