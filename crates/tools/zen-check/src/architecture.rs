//! How a server waits, as far as that can be seen from outside.

use std::fmt;
use std::str::FromStr;

use zen_harness::inetd::Mode;

/// The architecture of a server. The contract is the same for all; what is
/// *required* of one of these (the fifth client of a pool of four waits) is
/// *forbidden* to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// One thread, one client at a time.
    Single,
    /// This many threads or processes, each with one client at a time.
    Pool(usize),
    /// A thread for each client.
    ThreadPerClient,
    /// A process for each client, 40 of them unless told otherwise.
    ProcessPerClient,
    /// Threads that do not grow in number, and wait for all clients at once.
    EventLoop,
    /// This many event loops, in threads or processes of their own.
    Loops(usize),
    /// A coroutine for each client: to the kernel, an event loop.
    Coroutine,
    /// inetd accepts, and starts the program once for each client.
    InetdNowait,
    /// inetd hands its listening socket to the program at the first client.
    InetdWait,
}

use Architecture::{
    Coroutine, EventLoop, InetdNowait, InetdWait, Loops, Pool,
    ProcessPerClient, Single, ThreadPerClient,
};

/// A name as on the command line, and what it means; N is a number.
type Name = (&'static str, fn(usize) -> Architecture);

const NAMES: [Name; 9] = [
    ("single", |_| Single),
    ("pool:N", Pool),
    ("thread-per-client", |_| ThreadPerClient),
    ("process-per-client", |_| ProcessPerClient),
    ("event-loop", |_| EventLoop),
    ("loops:N", Loops),
    ("coroutine", |_| Coroutine),
    ("inetd-nowait", |_| InetdNowait),
    ("inetd-wait", |_| InetdWait),
];

impl FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, number) = text.split_once(':').unwrap_or((text, ""));
        for (name, of) in NAMES {
            let takes_number = name.strip_suffix(":N");
            if takes_number.unwrap_or(name) != word {
                continue;
            }
            return match (takes_number, number.parse()) {
                (Some(_), Ok(number @ 1..=1000)) => Ok(of(number)),
                (None, _) if !text.contains(':') => Ok(of(0)),
                (Some(word), _) => Err(format!(
                    "{word} needs a number from 1 on, such as {word}:4"
                )),
                (None, _) => Err(format!("{word} takes no number")),
            };
        }
        let names = NAMES.map(|(name, _)| name).join(", ");
        Err(format!("it is none of {names}"))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self {
            Pool(number) | Loops(number) => *number,
            _ => 0,
        };
        let name = NAMES.iter().find(|(_, of)| of(number) == *self);
        let name = name.map_or("", |(name, _)| name);
        f.write_str(&name.replace('N', &number.to_string()))
    }
}

impl Architecture {
    /// How many clients it serves at once without further options, if there
    /// is a number.
    pub(crate) fn clients_at_once(self) -> Option<usize> {
        match self {
            Single | InetdWait => Some(1),
            Pool(workers) => Some(workers),
            ProcessPerClient => Some(40),
            ThreadPerClient | EventLoop | Loops(_) | Coroutine
            | InetdNowait => None,
        }
    }

    /// How inetd is to start it, if that is what it is for.
    pub(crate) fn inetd(self) -> Option<Mode> {
        match self {
            InetdNowait => Some(Mode::Nowait),
            InetdWait => Some(Mode::Wait),
            _ => None,
        }
    }

    /// How many threads or processes do its work, if that is known.
    pub(crate) fn workers(self) -> Option<usize> {
        match self {
            Pool(number) | Loops(number) => Some(number),
            _ => None,
        }
    }

    /// How many loops accept clients, each for itself.
    pub(crate) fn loops(self) -> usize {
        match self {
            Loops(number) => number,
            _ => 1,
        }
    }
}

/// What some architectures have in common.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $pattern:pat,)+) => {
        impl Architecture {
            $(
                $(#[$doc])*
                pub(crate) fn $name(self) -> bool {
                    matches!(self, $pattern)
                }
            )+
        }

        /// By its name, such as `is_single`.
        pub(crate) fn kind(name: &str) -> Option<fn(Architecture) -> bool> {
            match name {
                $(stringify!($name) => Some(Architecture::$name),)+
                _ => None,
            }
        }
    };
}

kinds! {
    is_single: Single | InetdWait,
    is_pool: Pool(_),
    is_event_loop: EventLoop,
    is_coroutine: Coroutine,
    is_event_driven: EventLoop | Loops(_) | Coroutine,
    is_thread_per_client: ThreadPerClient,
    is_process_per_client: ProcessPerClient | InetdNowait,
    is_not_process_per_client: Single | InetdWait | Pool(_) | ThreadPerClient
        | EventLoop | Loops(_) | Coroutine,
    is_counted: Pool(_) | Loops(_),
    /// Its clients do not change the number of its threads or processes.
    is_of_one_size: Single | Pool(_) | EventLoop | Loops(_) | Coroutine,
    /// The clients decide how many threads, processes or connections there
    /// are: `--max-clients` means something.
    grows_with_its_clients: ThreadPerClient | ProcessPerClient | EventLoop
        | Loops(_) | Coroutine | InetdNowait,
    serves_a_set_number: Single | InetdWait | Pool(_),
    serves_any_number: ThreadPerClient | EventLoop | Loops(_) | Coroutine
        | InetdNowait,
    /// Two clients' answers can be worked out at the same time. Of several
    /// loops this is not known: both clients may be with the same one.
    thinks_for_several: Pool(_) | ThreadPerClient | ProcessPerClient
        | Coroutine | InetdNowait,
}

#[cfg(test)]
mod tests {
    use super::Architecture;

    #[test]
    fn what_is_printed_is_what_is_read() {
        for text in ["single", "pool:4", "loops:12", "inetd-wait"] {
            let read: Result<Architecture, _> = text.parse();
            assert_eq!(read.unwrap().to_string(), text);
        }
        for wrong in ["", "pool", "pool:", "pool:0", "pool:x", "single:1", "N"]
        {
            assert!(wrong.parse::<Architecture>().is_err(), "{wrong}");
        }
    }
}
