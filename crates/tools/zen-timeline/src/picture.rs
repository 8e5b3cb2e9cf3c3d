//! What to draw: a lane for each client and each task, and what it did at each
//! moment, in no more detail than can be seen.

use crate::lane::{Detail, Lane};
use crate::lanes::{client_lane, label, queued, task_lane};
use crate::merge::{merged, merged_marks, widen};
use crate::run::{Run, Task};

/// Further tasks are counted, but not drawn.
pub const LANES_MAX: usize = 60;

#[derive(Clone, Debug)]
pub struct Picture {
    pub time: (i64, i64),
    /// First the clients, then the tasks.
    pub lanes: Vec<Lane>,
    pub clients: usize,
    /// The number of tasks for which there was no room.
    pub hidden: usize,
    /// Anything shorter than this is merged with its neighbours.
    pub cell: i64,
}

impl Picture {
    pub fn new(run: &Run, detail: Detail) -> Self {
        let time = time(run);
        let clients = (0..).zip(&run.clients);
        let mut lanes: Vec<_> =
            clients.map(|(number, it)| client_lane(number, it)).collect();
        let clients = lanes.len();
        for (number, lane) in lanes.iter_mut().enumerate() {
            lane.queued = queued(run, number);
        }
        let alive = |it: &&Task| {
            it.born < time.1 && it.died.is_none_or(|died| died > time.0)
        };
        let tasks: Vec<_> = run.tasks.iter().filter(alive).collect();
        let hidden = tasks.len().saturating_sub(LANES_MAX);
        for task in tasks.iter().take(LANES_MAX) {
            let parent = lanes[clients..]
                .iter()
                .position(|lane| lane.task == task.parent)
                .map(|at| at + clients);
            let mut lane = task_lane(task, time);
            lane.label = label(task, run);
            lane.parent = parent;
            lanes.push(lane);
        }
        let whole = time.1 - time.0;
        let spans = (detail.cells, detail.spans_max);
        let cell = widen(&mut lanes, whole, spans, |lane, cell| {
            lane.spans = merged(&lane.spans, time.0, cell);
            lane.spans.len()
        });
        let marks = (detail.mark_cells, detail.marks_max);
        widen(&mut lanes, whole, marks, |lane, cell| {
            lane.marks = merged_marks(&lane.marks, cell);
            lane.marks.len()
        });
        Self { time, lanes, clients, hidden, cell }
    }

    /// The position of a moment, in percent of the width.
    pub fn percent(&self, at: i64) -> f64 {
        percent(at, self.time)
    }
}

/// The same within these times.
pub(crate) fn percent(at: i64, (from, to): (i64, i64)) -> f64 {
    let at = at.clamp(from, to) - from;
    let percent = 100.0 * at as f64 / (to - from) as f64;
    (percent * 1000.0).round() / 1000.0
}

/// From a little before the clients begin until a little after they left.
fn time(run: &Run) -> (i64, i64) {
    let end = run.end.max(1_000);
    let room = end / 50;
    (-room, end + room)
}
