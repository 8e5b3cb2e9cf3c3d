//! What happened, step by step. Of many steps the first and the last ones are
//! kept, and the others are counted.

use std::fmt::Display;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Transcript<T> {
    steps: Vec<(Duration, T)>,
    steps_max: usize,
    left_out: usize,
    /// When the last of these happened.
    left_out_at: Duration,
}

impl<T: Display> Transcript<T> {
    pub(crate) fn of(steps_max: usize) -> Self {
        let (steps, left_out_at) = (Vec::new(), Duration::ZERO);
        Self { steps, steps_max, left_out: 0, left_out_at }
    }

    pub(crate) fn add(&mut self, time: Duration, step: T) {
        if self.steps.len() == self.steps_max {
            (self.left_out_at, _) = self.steps.remove(self.steps_max / 2);
            self.left_out += 1;
        }
        self.steps.push((time, step));
    }

    /// The last steps, the very last one first.
    pub(crate) fn last(&mut self) -> impl Iterator<Item = &mut T> {
        self.steps.iter_mut().rev().map(|(_, step)| step)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |(time, step): &(Duration, T)| in_line(*time, step);
        let mut lines: Vec<_> = self.steps.iter().map(line).collect();
        if self.left_out > 0 {
            let steps = format!("... {} steps", self.left_out);
            lines.insert(self.steps_max / 2, in_line(self.left_out_at, steps));
        }
        lines
    }
}

/// A step with its time, by which transcripts are merged.
pub(crate) fn in_line(time: Duration, step: impl Display) -> String {
    format!("{:7.3} s  {step}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_are_left_out_are_counted() {
        let mut transcript = Transcript::of(4);
        for step in 0..9 {
            transcript.add(Duration::from_secs(step), step);
        }
        let lines = transcript.lines();
        let lines: Vec<_> = lines.iter().map(|line| line.trim()).collect();
        let expected = ["0.000 s  0", "1.000 s  1", "6.000 s  ... 5 steps"];
        assert_eq!(lines[..3], expected);
        assert_eq!(lines[3..], ["7.000 s  7", "8.000 s  8"]);
        assert_eq!(transcript.last().next(), Some(&mut 8));
    }
}
