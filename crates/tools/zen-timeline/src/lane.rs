//! A lane of the picture, and what is on it.

use serde::{Serialize, Serializer};
pub use zen_harness::waiting::State;

/// A period in one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Span {
    pub time: (i64, i64),
    #[serde(serialize_with = "word")]
    pub state: State,
    /// The number of the client that it concerns.
    pub client: Option<u16>,
}

fn word<S: Serializer>(state: &State, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(state.word())
}

impl Span {
    pub fn length(&self) -> i64 {
        self.time.1 - self.time.0
    }
}

/// Bytes that arrive on a lane, or leave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Mark {
    /// When the first byte did.
    pub at: i64,
    /// The number of the client that they belong to.
    pub client: u16,
    pub arrives: bool,
    pub bytes: u64,
    pub calls: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Lane {
    /// The number of its task; 0 on a client's lane.
    pub task: u32,
    pub label: String,
    /// The lane of its parent, if that is drawn.
    pub parent: Option<usize>,
    pub life: (i64, i64),
    pub death: Option<String>,
    /// In the order of time, without overlaps.
    pub spans: Vec<Span>,
    /// In the order of time.
    pub marks: Vec<Mark>,
    /// On a client's lane: when it waited for the server to accept it.
    pub queued: Option<(i64, i64)>,
}

impl Lane {
    pub fn time_in(&self, state: State) -> i64 {
        let spans = self.spans.iter().filter(|span| span.state == state);
        spans.map(Span::length).sum()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// The picture has this many cells; anything shorter than one is merged.
    pub cells: i64,
    /// The most spans on all lanes together.
    pub spans_max: usize,
    /// The same for marks: those of one client in a cell become one.
    pub mark_cells: i64,
    /// The most marks on all lanes together.
    pub marks_max: usize,
}

impl Detail {
    /// For a figure that cannot be zoomed.
    pub const FIGURE: Self = Self {
        cells: 1_500,
        spans_max: 6_000,
        mark_cells: 200,
        marks_max: 2_000,
    };
    /// For a picture that can be zoomed.
    pub const ZOOM: Self = Self {
        cells: 100_000,
        spans_max: 16_000,
        mark_cells: 10_000,
        marks_max: 8_000,
    };
}
