//! A line of the picture, and what is on it.

use zen_bench::svg;

use crate::run::Kind;

/// What a lane's owner did, in the order of the legend.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Work,
    Accept,
    Recv,
    Poll,
    Futex,
    Send,
    Sleep,
    Other,
    Asked,
    Idle,
}

/// For each state, in the same order: one word in the picture, the words of
/// the legend, and the lines of its pattern.
const LOOKS: [(State, [&str; 3]); 10] = [
    (State::Work, ["work", "working", ""]),
    (State::Accept, ["accept", "waiting in accept", "M2 2h2M6 6h2"]),
    (State::Recv, ["recv", "waiting in recv", svg::UP]),
    (State::Poll, ["poller", "waiting in the poller", "M0 2H8M0 6H8"]),
    (State::Futex, ["futex", "futex: lock or channel", svg::CROSSED]),
    (State::Send, ["send", "waiting in send", svg::DOWN]),
    (State::Sleep, ["sleep", "sleeping", "M2 0V8"]),
    (State::Other, ["other", "waiting elsewhere", "M4 0V8M0 4H8"]),
    (State::Asked, ["asked", "has asked, waits", svg::UP]),
    (State::Idle, ["idle", "connected, idle", ""]),
];

impl State {
    /// In the order of the legend.
    pub fn all() -> impl Iterator<Item = Self> {
        LOOKS.into_iter().map(|(state, _)| state)
    }

    /// One word, in the picture.
    pub fn word(self) -> &'static str {
        LOOKS[self as usize].1[0]
    }

    /// As the legend has it.
    pub fn says(self) -> &'static str {
        LOOKS[self as usize].1[1]
    }

    /// The lines of its pattern.
    pub(crate) fn hatch(self) -> &'static str {
        LOOKS[self as usize].1[2]
    }

    /// What a task is in while it makes this call, if it is worth a colour.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Accept => Self::Accept,
            Kind::Recv => Self::Recv,
            Kind::Send => Self::Send,
            Kind::Poll | Kind::Ring => Self::Poll,
            Kind::Futex => Self::Futex,
            Kind::Sleep => Self::Sleep,
            Kind::Other => Self::Other,
            Kind::Close | Kind::Shutdown => Self::Work,
        }
    }
}

/// A time in one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// Its begin and its end.
    pub time: (i64, i64),
    pub state: State,
    /// Whom it concerns, by number.
    pub client: Option<u16>,
}

impl Span {
    pub fn length(&self) -> i64 {
        self.time.1 - self.time.0
    }
}

/// Bytes that arrive on a lane, or leave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// When the first did.
    pub at: i64,
    /// Whose they are, by number.
    pub client: u16,
    pub arrives: bool,
    pub bytes: u64,
    pub calls: u64,
}

/// A line of the picture.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Its number among the tasks; 0 is a client's.
    pub task: u32,
    /// Above it.
    pub label: String,
    /// The lane of its parent, if that is drawn.
    pub parent: Option<usize>,
    pub life: (i64, i64),
    pub death: Option<String>,
    /// One after the other.
    pub spans: Vec<Span>,
    /// In the order of time.
    pub marks: Vec<Mark>,
    /// A client's: until when nobody had accepted it.
    pub queued: Option<(i64, i64)>,
}

/// How fine a picture is to be.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// Nothing shorter than one of so many parts of the whole is told apart.
    pub cells: i64,
    /// So many spans on all lanes together.
    pub spans_max: usize,
    /// Marks of one client nearer than one of so many parts become one.
    pub mark_cells: i64,
    /// So many marks on all lanes together.
    pub marks_max: usize,
}

impl Detail {
    /// For a figure that stays as it is.
    pub const FIGURE: Self = Self {
        cells: 1_500,
        spans_max: 6_000,
        mark_cells: 200,
        marks_max: 2_000,
    };
    /// For one that is looked at more closely.
    pub const ZOOM: Self = Self {
        cells: 100_000,
        spans_max: 16_000,
        mark_cells: 10_000,
        marks_max: 8_000,
    };
}

#[cfg(test)]
mod tests {
    use super::{LOOKS, State};

    #[test]
    fn every_state_has_its_own_look() {
        let states: Vec<_> = State::all().map(|it| it as usize).collect();
        assert_eq!(states, (0..LOOKS.len()).collect::<Vec<_>>());
    }
}
