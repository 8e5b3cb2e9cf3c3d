//! What a thread or a client can be in, with one name, one colour and one
//! hatch for each: the same in every tool that shows it.

/// What a thread or a client is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "`State::says` says it")]
pub enum State {
    Work,
    Accept,
    Recv,
    Poll,
    Futex,
    Send,
    Sleep,
    Other,
    Idle,
    Asked,
}

/// The colour of each state, on light and on dark paper.
pub const COLOURS: [[&str; 3]; 8] = [
    ["work", "#1c1c1c", "#f2f2f2"],
    ["accept", "#2f6fb0", "#6cb6ff"],
    ["recv", "#1d7a46", "#6fd69a"],
    ["poller", "#7d3fa0", "#cfa2f0"],
    ["futex", "#b3261e", "#ff8f87"],
    ["send", "#00707c", "#5fd3e0"],
    ["sleep", "#7a6a00", "#e0d060"],
    ["other", "#666", "#a8a8a8"],
];

/// A hatch: lines on a tile of 8 by 8, which rise.
pub const UP: &str = "M-2 2L2 -2M0 8L8 0M6 10L10 6";
/// See [`UP`]: they fall.
pub const DOWN: &str = "M-2 6L2 10M0 0L8 8M6 -2L10 2";
/// See [`UP`]: they cross.
pub const CROSSED: &str = "M0 0L8 8M8 0L0 8";

impl State {
    /// In the order of a legend.
    pub const ALL: [Self; 10] = [
        Self::Work,
        Self::Accept,
        Self::Recv,
        Self::Poll,
        Self::Futex,
        Self::Send,
        Self::Sleep,
        Self::Other,
        Self::Asked,
        Self::Idle,
    ];

    /// What a thread is in while it makes the system call of this name; None
    /// if that has no colour of its own.
    #[must_use]
    pub fn of_call(name: &str) -> Option<Self> {
        Some(match name {
            "accept" | "accept4" => Self::Accept,
            "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" => {
                Self::Recv
            }
            "write" | "writev" | "sendto" | "sendmsg" | "sendmmsg"
            | "sendfile" => Self::Send,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll"
            | "ppoll" | "select" | "pselect6" | "io_uring_enter" => Self::Poll,
            "futex" | "futex_wait" | "futex_waitv" => Self::Futex,
            "nanosleep" | "clock_nanosleep" => Self::Sleep,
            _ => return None,
        })
    }

    /// As a legend has it.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Work => "working",
            Self::Accept => "waiting in accept",
            Self::Recv => "waiting in recv",
            Self::Poll => "waiting in the poller",
            Self::Futex => "futex: lock or channel",
            Self::Send => "waiting in send",
            Self::Sleep => "sleeping",
            Self::Other => "waiting elsewhere",
            Self::Idle => "connected, idle",
            Self::Asked => "has asked, waits",
        }
    }

    /// One word, in a picture.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Accept => "accept",
            Self::Recv => "recv",
            Self::Poll => "poller",
            Self::Futex => "futex",
            Self::Send => "send",
            Self::Sleep => "sleep",
            Self::Other => "other",
            Self::Idle => "idle",
            Self::Asked => "asked",
        }
    }

    /// The lines of its pattern.
    #[must_use]
    pub fn hatch(self) -> &'static str {
        match self {
            Self::Work | Self::Idle => "",
            Self::Accept => "M2 2h2M6 6h2",
            Self::Recv | Self::Asked => UP,
            Self::Poll => "M0 2H8M0 6H8",
            Self::Futex => CROSSED,
            Self::Send => DOWN,
            Self::Sleep => "M2 0V8",
            Self::Other => "M4 0V8M0 4H8",
        }
    }
}
