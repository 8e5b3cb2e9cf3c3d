//! Draws charts. The same data always give the same drawing, to the byte.

mod ruler;

use minijinja::{Value, context};
use ruler::Ruler;

use crate::results::{Axis, Chart, Point, Scale};
use crate::template;
use crate::words::shown;

/// In the units of the drawing. A phone shows the drawing at three quarters of
/// this size, with text enlarged by a quarter.
const WIDTH: f64 = 520.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = WIDTH - 18.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 284.0;
const BELOW: f64 = 50.0;
/// Lines with the same values, as far as the eye can tell, are drawn this far
/// above one another. Otherwise the last one would hide the others.
const LIFT: f64 = 4.0;
/// The most names that fit side by side; more of them are drawn at an angle.
const NAMES_MAX: usize = 8;
const BELOW_NAMES: f64 = 88.0;
const LEGEND_ROW: f64 = 20.0;
const LEGEND_COLUMNS: usize = 2;

/// The width, or nearly, of a character of small text on a narrow page.
const CHARACTER: f64 = 8.0;

const TEMPLATES: [(&str, &str); 2] = [
    ("figure.svg", include_str!("../templates/figure.svg")),
    ("figure.css", include_str!("../templates/figure.css")),
];

/// Draws a chart; `name` is one word, unique among the drawings of a page.
pub fn draw(name: &str, chart: &Chart) -> String {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let mut xs: Vec<_> = points().map(|point| point.x).collect();
    if !chart.x.names.is_empty() {
        xs = (0..chart.x.names.len()).map(|x| x as f64).collect();
    }
    let mut ys: Vec<_> =
        points().flat_map(|point| point.values.iter().copied()).collect();
    ys.extend(chart.limit);
    let x = Ruler::new(chart.x.scale, xs, (LEFT, RIGHT));
    let y = Ruler::new(chart.y.scale, ys, (BOTTOM, TOP));
    let tick =
        |value: f64| context! { at => y.place(value), label => shown(value) };
    let limit = chart.limit.map(|limit| {
        let label = format!("not within {} {}", shown(limit), chart.y.label);
        context! { at => y.place(limit), label }
    });
    let series = (0..chart.series.len()).map(|it| series(chart, it, &x, &y));
    let rows = chart.series.len().div_ceil(LEGEND_COLUMNS) as f64;
    let is_crowded = is_crowded(&chart.x);
    let legend = BOTTOM + if is_crowded { BELOW_NAMES } else { BELOW };
    let context = context! {
        name, is_crowded, limit, legend,
        title => chart.title.clone(),
        description => description(chart),
        bars => chart.bars,
        width => WIDTH,
        height => legend + rows * LEGEND_ROW,
        left => LEFT, right => RIGHT, top => TOP, bottom => BOTTOM,
        x_label => label(&chart.x),
        y_label => label(&chart.y),
        x_ticks => names(&chart.x, &x),
        y_ticks => y.ticks().into_iter().map(tick).collect::<Value>(),
        step => x.step(),
        series => series.collect::<Value>(),
    };
    template::fill(&TEMPLATES, context)
}

fn is_crowded(axis: &Axis) -> bool {
    axis.names.len() > NAMES_MAX
}

/// The description that a screen reader reads out.
fn description(chart: &Chart) -> String {
    let mut text = format!("{} against {}.", chart.y.label, chart.x.label);
    for series in &chart.series {
        let (Some(first), Some(last)) =
            (series.points.first(), series.points.last())
        else {
            continue;
        };
        let tell = |point: &Point| {
            let (x, y) = (tell(&chart.x, point.x), point.median());
            format!("{} at {x}", shown(y))
        };
        let (first, last) = (tell(first), tell(last));
        text += &format!(" {}: {first}, {last}.", series.name);
    }
    text
}

fn tell(axis: &Axis, value: f64) -> String {
    axis.names.get(value as usize).cloned().unwrap_or_else(|| shown(value))
}

fn label(axis: &Axis) -> String {
    match axis.scale {
        Scale::Log => format!("{} (log scale)", axis.label),
        _ => axis.label.clone(),
    }
}

/// The values of the lower axis, and where their labels fit.
fn names(axis: &Axis, x: &Ruler) -> Value {
    // Names may be long, so every other one is a line lower.
    let rows = if axis.names.is_empty() { 1 } else { 2 };
    let mut free_from = [0.0; 2];
    let ticks = x.ticks().into_iter().enumerate().map(|(index, value)| {
        let (at, label, row) =
            (x.place(value), tell(axis, value), index % rows);
        // Skip it where the last one leaves no room.
        let half = CHARACTER / 2.0 * label.chars().count() as f64;
        let fits = is_crowded(axis) || at - half >= free_from[row];
        if fits {
            free_from[row] = at + half + 4.0;
        }
        context! { at, row, label => fits.then_some(label) }
    });
    ticks.collect()
}

/// How many of the lines drawn before this one are mostly at the same height.
fn lines_beneath(chart: &Chart, index: usize, y: &Ruler) -> usize {
    let own = &chart.series[index].points;
    let height = |it: &Point| y.place(it.median());
    let is_same = |(a, b): &(&Point, &Point)| {
        a.x == b.x && (height(a) - height(b)).abs() < LIFT / 2.0
    };
    chart.series[..index]
        .iter()
        .map(|other| own.iter().zip(&other.points).filter(is_same).count())
        .filter(|same| 2 * same > own.len())
        .count()
}

/// A line, or the bars of one colour.
fn series(chart: &Chart, index: usize, x: &Ruler, y: &Ruler) -> Value {
    let lift = match chart.bars {
        true => 0.0,
        false => LIFT * lines_beneath(chart, index, y) as f64,
    };
    let place = |value| y.place(value) - lift;
    let points = chart.series[index].points.iter().map(|point| {
        let (least, most) = point.spread();
        context! {
            x => x.place(point.x),
            y => place(point.median()),
            low => place(least),
            high => place(most),
            is_spread => most > least,
            label => shown(point.median()),
        }
    });
    context! {
        name => chart.series[index].name.clone(),
        points => points.collect::<Value>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale) -> (&'static str, Scale) {
        ("A & <B>", scale)
    }

    fn chart(x: Scale, y: Scale) -> Chart {
        let mut chart = Chart::lines("<A>", axis(x), axis(y));
        for (n, value) in [0.0, 1e-7, 3.5, 1e9].into_iter().enumerate() {
            for series in 0..10 {
                let value = value * f64::from(series);
                chart.record(&format!("s{series}"), n as f64 * 10.0, value);
                chart.record(&format!("s{series}"), n as f64 * 10.0, 2.0);
            }
        }
        chart
    }

    /// Every number in the drawing that is a position or a size.
    fn lengths(svg: &str) -> Vec<f64> {
        let document = roxmltree::Document::parse(svg).expect("XML");
        let names = ["x", "y", "x1", "x2", "y1", "y2", "width", "height"];
        let nodes = document.descendants();
        let attributes = nodes.flat_map(|node| {
            names.into_iter().filter_map(move |name| node.attribute(name))
        });
        attributes.map(|it| it.parse().expect("a number")).collect()
    }

    #[test]
    fn every_scale_stays_on_the_sheet() {
        let scales = [Scale::Linear, Scale::Log, Scale::Steps];
        for x in scales {
            for y in [Scale::Linear, Scale::Log] {
                let full = chart(x, y);
                let empty = Chart { series: Vec::new(), ..full.clone() };
                let bars = Chart { bars: true, ..full.clone() };
                let limited = Chart { limit: Some(5.0), ..full.clone() };
                for chart in [full, empty, bars, limited] {
                    let svg = draw("a", &chart);
                    assert!(!svg.contains("NaN") && !svg.contains("inf"));
                    for length in lengths(&svg) {
                        assert!((-1.0..=600.0).contains(&length), "{length}");
                    }
                    assert_eq!(svg, draw("a", &chart));
                }
            }
        }
    }

    #[test]
    fn lines_with_the_same_values_do_not_hide_one_another() {
        let axis = |label| (label, Scale::Log);
        let mut chart = Chart::lines("A", axis("x"), axis("y"));
        for (name, value) in [("p", 1.0), ("q", 1.01), ("r", 9.0)] {
            chart.record(name, 1.0, value);
            chart.record(name, 2.0, value);
        }
        let y = Ruler::new(Scale::Log, vec![1.0, 9.0], (284.0, 34.0));
        let beneath = |it| lines_beneath(&chart, it, &y);
        assert_eq!([0, 1, 2].map(beneath), [0, 1, 0]);
        let svg = draw("a", &chart);
        assert!(svg.contains("y (log scale)"), "{svg}");
    }
}
