//! A line of the picture, and what is on it.

pub use zen_harness::waiting::State;

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
