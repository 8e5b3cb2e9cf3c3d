//! Where values lie along an axis, and which of them are labelled.

use crate::results::Scale;

/// Maps values to positions along an axis.
pub(super) struct Ruler {
    scale: Scale,
    values: Vec<f64>,
    low: f64,
    high: f64,
    /// Where the lowest and the highest value are on the sheet.
    from: f64,
    to: f64,
}

impl Ruler {
    pub(super) fn new(
        scale: Scale,
        values: Vec<f64>,
        (from, to): (f64, f64),
    ) -> Self {
        let mut values: Vec<_> =
            values.into_iter().filter(|value| value.is_finite()).collect();
        if scale == Scale::Log {
            values.retain(|value| *value > 0.0);
        }
        values.sort_by(f64::total_cmp);
        values.dedup();
        let first = values.first().copied().unwrap_or(1.0);
        let last = values.last().copied().unwrap_or(1.0);
        let (low, high) = match scale {
            Scale::Steps => (0.0, values.len().max(1) as f64),
            Scale::Linear => (first.min(0.0), step_above(last)),
            Scale::Log => {
                let low = 10_f64.powf(first.log10().floor());
                (low, (10_f64.powf(last.log10().ceil())).max(low * 10.0))
            }
        };
        Self { scale, values, low, high, from, to }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            // A logarithmic scale has no 0, so 0 lies at the edge.
            Scale::Log => {
                let decades = (self.high / self.low).log10();
                (value.max(self.low) / self.low).log10() / decades
            }
            Scale::Steps => {
                let index = self.values.iter().position(|it| *it == value);
                (index.unwrap_or(0) as f64 + 0.5) / self.high
            }
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    pub(super) fn step(&self) -> f64 {
        (self.to - self.from).abs() / self.high
    }

    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Steps => self.values.clone(),
            Scale::Linear => {
                let step = (self.high - self.low) / 5.0;
                (0..=5).map(|n| self.low + step * f64::from(n)).collect()
            }
            Scale::Log => {
                let first = self.low.log10().round() as i32;
                let last = self.high.log10().round() as i32;
                (first..=last).map(|power| 10_f64.powi(power)).collect()
            }
        }
    }
}

/// The next larger number that divides well by five.
fn step_above(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 10.0];
    let step = steps.into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_values_are_higher_and_further_right() {
        for scale in [Scale::Linear, Scale::Log] {
            let values = vec![1.0, 10.0, 1000.0];
            let ruler = Ruler::new(scale, values, (300.0, 0.0));
            let places = [1.0, 10.0, 1000.0].map(|value| ruler.place(value));
            assert!(places.is_sorted_by(|a, b| a > b), "{places:?}");
            let tenth = (300.0 - places[1]) / (300.0 - places[2]);
            let expected = if scale == Scale::Log { 1.0 / 3.0 } else { 0.01 };
            assert!((tenth - expected).abs() < 0.001, "{tenth}");
        }
        let steps =
            Ruler::new(Scale::Steps, vec![0.0, 40.0, 41.0], (0.0, 30.0));
        assert_eq!([0.0, 40.0, 41.0].map(|x| steps.place(x)), [5., 15., 25.]);
    }
}
