//! The mistakes, each with the name by which it is asked for.

use crate::settings::{Shape, settings};

/// Whether this is the mistake to be made.
pub(crate) fn faulty(fault: Fault) -> bool {
    settings().fault == Some(fault)
}

macro_rules! faults {
    ($($fault:ident, $name:literal, $sentence:literal;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault { $($fault),+ }

        /// Name, fault, and what it is.
        pub(crate) const ALL: &[(&str, Fault, &str)] =
            &[$(($name, Fault::$fault, $sentence)),+];
    };
}

faults! {
    // Framing and answers.
    AnswersBySegment, "answers-by-segment",
        "takes whatever one recv() returns for one question";
    LastSegmentOnly, "last-segment-only",
        "keeps only the last piece of a question that comes in pieces";
    NewlineFraming, "newline-framing",
        "takes a question for whole only when a newline follows the ?";
    AddsNewline, "adds-newline",
        "adds a newline to each answer";
    Greets, "greets",
        "says something before it is asked";
    StripsInside, "strips-inside",
        "takes away the white space inside a question, too";
    SkipsVerticalTabs, "skips-vertical-tabs",
        "takes a vertical tab for white space, as isspace() and strip() do";
    CaseBlind, "case-blind",
        "does not tell capital letters from small ones";
    StopsAtZero, "stops-at-zero",
        "looks for the ? with strchr(), which stops at a zero byte";
    NeedsUtf8, "needs-utf8",
        "decodes what it receives, and drops the client that is no UTF-8";
    AnswersOutOfOrder, "answers-out-of-order",
        "puts what it has to say on a stack, and not in a queue";
    WrongLimit, "wrong-limit",
        "allows a question 1,025 bytes";
    NoQuestionLimit, "no-question-limit",
        "allows a question any number of bytes";
    RefusesLate, "refuses-late",
        "looks how long a question is only when it is whole";

    WrongWord, "wrong-word",
        "leaves the full stop out of one answer";
    LowerCase, "lower-case",
        "answers in small letters";
    LooksAtTheLastByte, "looks-at-the-last-byte",
        "receives until the last byte is a ?, and takes all for one question";
    WrongTwice, "wrong-twice",
        "looks at the last byte, and leaves out a full stop";
    ClosesAtOnce, "closes-at-once",
        "closes the connection of a client that has asked";

    // Sending and ending.
    ClosesWithUnread, "closes-with-unread",
        "closes at once after a question too long, which resets";
    DiscardsForEver, "discards-for-ever",
        "throws away what follows the last answer without a limit in time";
    DiscardsWithoutBound, "discards-without-bound",
        "throws away what follows the last answer without a limit in bytes";
    LosesShortSends, "loses-short-sends",
        "takes what send() was given for sent, however much it took";
    EagainIsFatal, "eagain-is-fatal",
        "calls sendall() where send() does not block, and so drops a client \
         whose socket is full for the moment";
    ForgetsToWakeForWriting, "forgets-to-wake-for-writing",
        "keeps what a full socket did not take until the client sends again";
    BuffersWithoutBound, "buffers-without-bound",
        "goes on receiving while answers wait";
    OneSlowWriterBlocks, "one-slow-writer-blocks",
        "sends in the event loop with a send() that blocks";
    IgnoresEndOfFile, "ignores-end-of-file",
        "takes recv() == 0 for nothing yet, and asks again and again";
    DropsHalfClosed, "drops-half-closed",
        "closes when the client stops sending, whatever it is owed";
    NeverCloses, "never-closes",
        "forgets the client that has left, without closing its own side";
    LeaksDescriptors, "leaks-descriptors",
        "shuts a connection down, and does not close it";
    DiesOfSigpipe, "dies-of-sigpipe",
        "leaves SIGPIPE as it is in C";

    // Many clients.
    OneErrorEndsAll, "one-error-ends-all",
        "passes one client's error up to main()";
    ReuseRace, "reuse-race",
        "closes a descriptor now and tidies its tables later, when the number \
         may be a new client's";
    AcceptsOnePerEdge, "accepts-one-per-edge",
        "accepts one client for each edge, however many have come";
    DiesOfEmfile, "dies-of-emfile",
        "ends when there is no descriptor for the next client";
    SpinsOnEmfile, "spins-on-emfile",
        "tries again and again when there is none";
    OneThreadTooFew, "one-thread-too-few",
        "has a pool of three threads, and not of four";
    WorkersDie, "workers-die",
        "lets a thread of its pool end with a client's error";
    LeavesZombies, "leaves-zombies",
        "does not wait for its children";
    ParentKeepsSocket, "parent-keeps-socket",
        "keeps a copy of a client's socket in the process that accepts";
    LosesEvents, "loses-events",
        "takes 1,024 events at once, and forgets the others";
    SetUpErrorEndsAll, "set-up-error-ends-all",
        "takes what fails for an accepted client for an error of accept()";

    // The process.
    NoReuseaddr, "no-reuseaddr",
        "does not set SO_REUSEADDR";
    EintrIsFatal, "eintr-is-fatal",
        "takes EINTR for an error, such as when a child ends";
    DiesOfSigterm, "dies-of-sigterm",
        "has no handler for signals";
    IgnoresSigterm, "ignores-sigterm",
        "ends by SIGINT only";
    SlowStop, "slow-stop",
        "waits at its end until every silent client has left";
    AbandonsAtStop, "abandons-at-stop",
        "closes everything at its end, whatever has been asked";
    KeepsSignalsBlocked, "keeps-signals-blocked",
        "does not unblock the signals that its parent has blocked";
    AlarmIsAStop, "alarm-is-a-stop",
        "ends at any SIGALRM, whether a stop has begun or not";
    Process1GoesOn, "process-1-goes-on",
        "raises the second signal again, which does nothing to process 1";
    ChildStopsAll, "child-stops-all",
        "lets the processes for its clients share what tells them to end";

    DiesBeforeListening, "dies-before-listening",
        "ends before it listens";
    DiesAfterListening, "dies-after-listening",
        "ends a moment after it has begun to listen";
    DiesOfItsFirstClient, "dies-of-its-first-client",
        "ends when a client has connected";
    Spins, "spins",
        "asks poll() again and again, and never waits in it";

    // The log.
    FloodsItsOutput, "floods-its-output",
        "prints without end that nothing has happened";
    LogBlocks, "log-blocks",
        "prints a line for each client, and waits for its reader";
    LogDropsSilently, "log-drops-silently",
        "drops lines for which there is no room, and says nothing of it";

    // Time.
    IdleCountsBytes, "idle-counts-bytes",
        "lets every byte start the idle clock again";
    IdleCountsPartialSends, "idle-counts-partial-sends",
        "lets every partial send start the idle clock again";
    IdleIgnoresWriters, "idle-ignores-writers",
        "never drops a client for which answers wait";
    ThinkCountsAsIdle, "think-counts-as-idle",
        "lets the idle clock run while it thinks for another client";
    ThinksInTurn, "thinks-in-turn",
        "holds a lock while it thinks, so that its threads think in turn";
    FloodStopsTheClock, "flood-stops-the-clock",
        "looks who is late only when fewer than 1,024 clients are ready";
    DropsBeforeLooking, "drops-before-looking",
        "drops the late before it looks at what they have sent";

    // What it costs.
    Ticks, "ticks",
        "wakes ten times a second, whatever there is to wait for";
    KeepsTimers, "keeps-timers",
        "keeps the timer of a client that has left";
}

impl Fault {
    /// The shape of server in which this mistake is made.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::OneThreadTooFew | Self::WorkersDie => Shape::Pool,
            Self::ThinksInTurn => Shape::Threads,
            Self::LeavesZombies
            | Self::EintrIsFatal
            | Self::ParentKeepsSocket
            | Self::ChildStopsAll => Shape::Processes,
            _ => Shape::EventLoop,
        }
    }
}
