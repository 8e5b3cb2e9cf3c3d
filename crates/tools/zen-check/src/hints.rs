//! What a failure usually means, clause by clause, for a student who has the
//! report and nothing else.

/// In a sentence or two, or nothing where the failure says it all.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(crate) fn means(clause: &str) -> Option<&'static str> {
    let text = match clause {
        "wire/1" => {
            "This service greets nobody: the client speaks first, and the \
            server's first bytes are the first answer."
        }
        "wire/2" => {
            "A question is all bytes up to its first `?`, whatever they are. \
            Do not decode them as text, and do not wait for a newline."
        }
        "wire/3" => {
            "One recv() may return a part of a question. Keep what has come \
            until its `?` is there, and never take a segment for a question."
        }
        "wire/4" => {
            "One recv() may return several questions. Look for the next `?` \
            in what is left, and answer each question that is whole."
        }
        "wire/5" | "wire/6" | "wire/7" => {
            "Space, \\t, \\n, \\f and \\r before a question are skipped as they \
            come, count toward nothing, and nothing else is skipped: not \
            \\v, not a zero byte, and no white space inside a question."
        }
        "wire/8" | "wire/9" => {
            "The three aphorisms are compared byte by byte, with the `?`. \
            Anything else is `Error: unknown aphorism.`, nothing added."
        }
        "wire/10" => {
            "Each client gets its answers in the order of its questions, and \
            not a byte between them or after them: no newline either. If \
            bytes are missing, look at what send() returned: it may have \
            taken only a part."
        }
        "ending/1" | "ending/2" => {
            "When recv() returns no bytes the client will send no more. With \
            no question begun that is how a conversation normally ends: \
            close the socket, and go on with the others."
        }
        "ending/3" => {
            "A question without its `?` is no question: when the end of file \
            comes, what there is of it gets no answer."
        }
        "ending/4" => {
            "The end of file says that the client sends no more; it still \
            reads. Send every answer that it is owed, and only then close."
        }
        "ending/5" => {
            "recv(), send() and accept() fail for one client's reasons. Catch \
            the error where that client is served, forget that client, and go \
            on with the others. Ignore SIGPIPE."
        }
        "ending/6" => {
            "A connection ends when no process holds its socket any more. Close \
            the socket in the parent as soon as the child has it, or shut it \
            down in the child: close() alone ends nothing while the parent \
            has a copy."
        }
        "limit/1" | "limit/2" => {
            "1,024 bytes with the `?` are allowed. The 1,024th byte that is \
            not a `?` decides, and not the `?` that may never come."
        }
        "limit/3" => {
            "After `Error: question too long.` comes no other answer, and \
            before it all those to the questions before."
        }
        "limit/4" | "limit/5" | "limit/6" => {
            "To close a socket with unread bytes in it sends a reset, which \
            destroys the answer on its way. Shut down the sending side, then \
            read and throw away until the client closes, for at most 2 s and \
            16 MiB, and then close."
        }
        "limit/7" => {
            "A client that does not read is not to be received from while \
            answers wait for it; else its answers pile up in memory."
        }
        "limit/8" => {
            "send() took only a part, or nothing at all. Keep the rest, wait \
            until the socket can be written to, and go on where you were."
        }
        "crowd/1" | "crowd/2" | "crowd/3" => {
            "Who waits for whom is what the architecture is about: this \
            server is not of the one that is required of it."
        }
        "crowd/4" => {
            "A server that goes on with one client as long as there is more \
            of it leaves the others waiting. With many clients at once each must have a buffer of its own, \
            and a loop must find all that are in the queue. A client whom \
            the queue of listen() has no room for tries again after a \
            second."
        }
        "crowd/5" => {
            "Something of each client is left: a socket that is never closed, \
            a thread that does not end, a child that nobody waits for. Close \
            in every branch, also after an error."
        }
        "crowd/6" | "crowd/7" | "crowd/8" | "crowd/9" => {
            "accept() fails when there is no descriptor for another client \
            (EMFILE). That is no reason to end, nor to try again at once and \
            for ever: wait a little, serve those who are there, and try \
            again."
        }
        "crowd/10" => {
            "A descriptor's number is given to the next client as soon as it \
            is closed. Forget a client in all your tables before you close \
            its socket, and not when an event about the old number comes."
        }
        "crowd/11" => {
            "Only a lack of descriptors or memory gets better by waiting \
            (EMFILE, ENFILE, ENOBUFS, ENOMEM). With any other error of the \
            listening socket, say so and end with status 1."
        }
        "process/1" => {
            "bind() fails when the port is taken: say so, and end with a \
            status that is not 0."
        }
        "process/6" => {
            "To write to a socket or pipe that nobody reads raises SIGPIPE, \
            which ends a process that has not said otherwise. Ignore it."
        }
        "process/7" => {
            "A signal cuts a system call short (EINTR), which is no error: \
            try again, and wait only for what is left of the time."
        }
        "process/8" | "process/9" | "process/10" | "process/11"
        | "process/12" | "process/13" => {
            "SIGTERM and SIGINT ask for an orderly end: accept nobody more, \
            answer what has arrived, close all connections, and exit with \
            status 0, within 2 s whatever the clients do."
        }
        "process/14" | "process/16" => {
            "A second signal, 100 ms or more after the first, ends the \
            process at once."
        }
        "process/17" => {
            "After a server ends, its connections keep the port for a while. \
            Set SO_REUSEADDR on the listening socket before bind()."
        }
        "process/18" => {
            "A process inherits the signals that its parent has blocked. \
            Unblock SIGINT, SIGTERM, SIGALRM and SIGCHLD at the start with \
            sigprocmask(), if you use them."
        }
        "process/19" => {
            "SIGALRM ends a process that has not said otherwise. A server that \
            uses it for its stop looks first whether a stop has begun."
        }
        "process/20" => {
            "To process 1 of a container the system delivers no signal that \
            has no handler: set back to its default and raised, it does \
            nothing. End with _exit(128 + signal) instead."
        }
        "process/21" => {
            "What is shared between processes, such as a pipe or a listening \
            socket that is shut down, stops them all. Let a process that is \
            told to stop close only what is its own."
        }
        "architecture/1" | "architecture/2" | "architecture/3"
        | "architecture/4" => {
            "This is counted in /proc while clients are connected and silent: \
            the server is not of the architecture that is required of it."
        }
        "option/8" | "option/9" | "option/10" | "option/11" | "option/12"
        | "option/13" | "option/14" => {
            "The idle clock starts with the connection, starts again when a \
            question is completed and when the last waiting answer is sent, \
            stands still while an answer is worked out, and nothing else \
            moves it: no single byte, and no partial send. A server that \
            sends one answer after another does not start it again while it \
            holds further whole questions."
        }
        "option/15" => {
            "--think is a pause before each answer, of so many milliseconds."
        }
        "option/28" => {
            "With a thousand clients ready at once, one look at the poller \
            does not return them all, and the next look finds as many again. \
            Look at the clock after each of them, not only when nobody is \
            ready."
        }
        "option/29" => {
            "Before you drop a client that is late, try to receive from it once \
            more: what it sent in time may still wait."
        }
        "cost/7" => {
            "Wait without a time limit when no client has a deadline: a loop \
            that wakes ten times a second for nothing keeps a machine from \
            sleeping."
        }
        "cost/8" => {
            "Something is kept for each client that has left: a timer, or an \
            entry in a table. Remove it with the client."
        }
        "log/18" | "log/19" => {
            "A pipe holds 64 KiB. When it is full, to print blocks, and with \
            it the server. Write to standard output without blocking, drop \
            the lines for which there is no room, and count them."
        }
        "log/2" => {
            "Whoever reads the log may go away. Then to print fails, or \
            raises SIGPIPE, and neither may end the server."
        }
        _ => return None,
    };
    Some(text)
}

/// What the server's last words mean, if they are among the usual ones.
pub(crate) fn means_of_log(log: &[String]) -> Option<&'static str> {
    let said = |words: &[&str]| {
        log.iter().any(|line| words.iter().any(|word| line.contains(word)))
    };
    if said(&["ddress already in use", "EADDRINUSE", "AddrInUse"]) {
        return Some(
            "The port was still taken: set SO_REUSEADDR on the listening \
            socket before bind(). (zen-check gives each server a port of its \
            own; only a restart uses one again.)",
        );
    }
    if said(&["unrecognized arguments", "unexpected argument"]) {
        return Some(
            "The server does not know an option that it was given in the \
            place of {options}.",
        );
    }
    None
}
