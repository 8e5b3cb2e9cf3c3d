//! What an experiment has found: charts in which every point keeps all values
//! measured for it. The median counts; the lowest and the highest value are its
//! spread.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// A point is noisy if its runs differ by more than this share.
pub const SPREAD_MAX: f64 = 0.5;

/// The share of its time that the load may wait for a core. Above it the
/// machine was busy with other programs.
pub const DELAY_MAX: f64 = 0.1;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Results {
    pub experiment: String,
    /// `quick`, `full` or `tiny`.
    pub size: String,
    pub runs: usize,
    pub machine: Machine,
    /// The share of the time in which the load wanted a core and had to wait
    /// for one; None where that is unknown.
    pub delay: Option<f64>,
    /// What was not measured, and the reason.
    pub left_out: Vec<String>,
    pub charts: Vec<Chart>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Chart {
    pub name: String,
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    /// No measurement waited for longer than this.
    pub limit: Option<f64>,
    #[serde(default)]
    pub bars: bool,
    /// It is not drawn: its numbers are in tables.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_table: bool,
    #[serde(default)]
    pub series: Vec<Series>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Axis {
    /// The quantity and its unit.
    pub label: String,
    pub scale: Scale,
    /// Shown in place of numbers: the name of 0, of 1, and so on.
    #[serde(default)]
    pub names: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Equal distances, starting at 0.
    Linear,
    /// Equal factors.
    Log,
    /// Equal room for each value that occurs.
    Steps,
}

/// A line, or the bars of one colour.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Series {
    pub name: String,
    pub points: Vec<Point>,
}

/// The measurements at one place.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Point {
    pub x: f64,
    /// One value for each run.
    pub values: Vec<f64>,
}

/// The charts of an experiment, by the names that `about.toml` gives them.
#[derive(Clone, Debug, Deserialize)]
pub struct Charts(pub Vec<Chart>);

impl Charts {
    pub fn get(&mut self, name: &str) -> &mut Chart {
        let chart = self.0.iter_mut().find(|it| it.name == name);
        chart.expect("about.toml has this chart")
    }

    /// Adds a value that one run has measured to this chart, if it is known.
    pub fn record(
        &mut self,
        chart: &str,
        series: &str,
        x: f64,
        value: impl Into<Option<f64>>,
    ) {
        if let Some(value) = value.into() {
            self.get(chart).record(series, x, value);
        }
    }
}

impl Chart {
    pub fn record(&mut self, series: &str, x: f64, value: f64) {
        let at = self.series.iter().position(|it| it.name == series);
        let at = at.unwrap_or_else(|| {
            let name = series.into();
            self.series.push(Series { name, points: Vec::new() });
            self.series.len() - 1
        });
        let points = &mut self.series[at].points;
        let value = rounded(value);
        match points.iter_mut().find(|point| point.x == x) {
            Some(point) => point.values.push(value),
            None => points.push(Point { x, values: vec![value] }),
        }
    }

    pub fn at(&self, series: &str, x: f64) -> Option<f64> {
        let series = self.series.iter().find(|it| it.name == series)?;
        series.points.iter().find(|it| it.x == x).map(Point::median)
    }

    pub fn name_at(&self, x: f64) -> Option<&str> {
        self.x.names.get(x as usize).map(String::as_str)
    }

    /// The largest place of all series.
    pub fn x_max(&self) -> f64 {
        let points = self.series.iter().flat_map(|it| &it.points);
        points.map(|it| it.x).fold(0.0, f64::max)
    }
}

/// The middle value; of an even number of values, the mean of the two in the
/// middle.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(f64::midpoint(values[last / 2], values[last.div_ceil(2)]))
}

impl Point {
    pub fn median(&self) -> f64 {
        median(&self.values).unwrap_or(0.0)
    }

    pub fn spread(&self) -> (f64, f64) {
        let of = |choose: fn(f64, f64) -> f64| {
            self.values.iter().copied().reduce(choose).unwrap_or(0.0)
        };
        (of(f64::min), of(f64::max))
    }
}

impl Results {
    pub fn chart(&self, name: &str) -> Option<&Chart> {
        self.charts.iter().find(|chart| chart.name == name)
    }

    pub fn figures(&self) -> impl Iterator<Item = &Chart> {
        self.charts.iter().filter(|chart| !chart.is_table)
    }

    /// What a reader has to know before trusting the results.
    pub fn warning(&self) -> Option<String> {
        let points = self.charts.iter().flat_map(|it| &it.series);
        let points: Vec<_> = points.flat_map(|it| &it.points).collect();
        let is_noisy = |point: &&&Point| {
            let (least, most) = point.spread();
            most - least > SPREAD_MAX * point.median().abs().max(1e-12)
        };
        let noisy = points.iter().filter(is_noisy).count();
        let mut text = Vec::new();
        if let Some(delay) = self.delay.filter(|delay| *delay > DELAY_MAX) {
            text.push(format!(
                "other programs kept the load from its core for {:.0} % of \
                 the time that it wanted",
                delay * 100.0
            ));
        }
        if noisy * 10 > points.len() {
            let all = points.len();
            text.push(format!(
                "at {noisy} of {all} points the runs differ by more than \
                 {:.0} % of their median",
                SPREAD_MAX * 100.0
            ));
        }
        (!text.is_empty()).then(|| format!("A noisy run: {}.", text.join("; ")))
    }
}

/// Rounds to four digits: more would be noise, and make longer files.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Chart {
        /// A chart of lines without values.
        pub(crate) fn lines(
            title: &str,
            x: (&str, Scale),
            y: (&str, Scale),
        ) -> Self {
            let axis = |(label, scale): (&str, Scale)| Axis {
                label: label.into(),
                scale,
                names: Vec::new(),
            };
            Self {
                name: "a".into(),
                title: title.into(),
                x: axis(x),
                y: axis(y),
                limit: None,
                bars: false,
                is_table: false,
                series: Vec::new(),
            }
        }
    }

    #[test]
    fn the_median_and_its_spread_are_those_of_the_runs() {
        let point = |values: &[f64]| Point { x: 0.0, values: values.into() };
        assert_eq!(point(&[9.0, 1.0, 4.0]).median(), 4.0);
        assert_eq!(point(&[9.0, 1.0, 4.0, 2.0]).median(), 3.0);
        assert_eq!(point(&[9.0, 1.0, 4.0]).spread(), (1.0, 9.0));
        assert_eq!(point(&[]).median(), 0.0);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn recorded_values_are_found_again() {
        let axis = ("", Scale::Linear);
        let mut chart = Chart::lines("A", axis, axis);
        for value in [0.123_456, 3.0, 2.0] {
            chart.record("one", 1.0, value);
        }
        chart.record("one", 2.0, 7.0);
        chart.record("two", 1.0, f64::NAN);
        assert_eq!(chart.at("one", 1.0), Some(2.0));
        assert_eq!(chart.at("two", 1.0), Some(0.0));
        assert_eq!(chart.at("two", 2.0), None);
        assert_eq!(chart.series[0].points[0].values[0], 0.1235);
        let json = serde_json::to_string(&chart).unwrap();
        assert_eq!(serde_json::from_str::<Chart>(&json).unwrap(), chart);
    }

    #[test]
    fn a_noisy_run_has_a_warning() {
        let axis = ("", Scale::Log);
        let mut chart = Chart::lines("", axis, axis);
        chart.record("one", 0.0, 1.0);
        chart.record("one", 0.0, 1.1);
        let mut results = Results {
            experiment: "a".into(),
            size: "tiny".into(),
            runs: 2,
            machine: Machine::here("dev", false),
            delay: Some(0.01),
            left_out: Vec::new(),
            charts: vec![chart],
        };
        assert_eq!(results.warning(), None);
        results.delay = Some(0.25);
        assert!(results.warning().unwrap().contains("25 %"));
        results.delay = None;
        results.charts[0].record("one", 0.0, 9.0);
        assert!(results.warning().unwrap().contains("at 1 of 1 points"));
    }
}
