//! Draws charts. The same data always give the same drawing, to the byte.

mod ruler;

use ruler::Ruler;

use crate::results::{Axis, Chart, Point, Scale};
use crate::svg::{Length, Svg, class, escaped, mark};

/// In the units of the drawing. A phone shows the drawing at three quarters of
/// this size, with text enlarged by a quarter.
const WIDTH: f64 = 520.0;
const PLOT_HEIGHT: f64 = 250.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 34.0;
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

/// The styles that only charts need.
const STYLE: &str = include_str!("figure.css");

/// More marks than this would hide the line.
const MARKS_MAX: usize = 24;

/// Draws a chart; `name` is one word, unique among the drawings of a page.
pub fn draw(name: &str, chart: &Chart) -> String {
    let rows = chart.series.len().div_ceil(LEGEND_COLUMNS) as f64;
    let bottom = TOP + PLOT_HEIGHT;
    let below = if is_crowded(&chart.x) { BELOW_NAMES } else { BELOW };
    let height = bottom + below + rows * LEGEND_ROW;
    let root = format!(
        "class=\"zen-figure\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\""
    );
    let mut svg = Svg::new(name, root, &chart.title, &description(chart));
    svg.style("zen-figure", &[], STYLE);
    if chart.bars {
        svg.add("<defs>");
        svg.hatches(chart.series.len());
        svg.add("</defs>");
    }
    svg.rect("class=\"paper\"", (0.0, 0.0), (WIDTH, height));
    svg.text("bold", (8.0, 20.0), &chart.title);
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let mut xs: Vec<_> = points().map(|point| point.x).collect();
    if !chart.x.names.is_empty() {
        xs = (0..chart.x.names.len()).map(|x| x as f64).collect();
    }
    let mut ys: Vec<_> =
        points().flat_map(|point| point.values.iter().copied()).collect();
    ys.extend(chart.limit);
    let x = Ruler::new(chart.x.scale, xs, (LEFT, WIDTH - RIGHT));
    let y = Ruler::new(chart.y.scale, ys, (bottom, TOP));
    axes(&mut svg, chart, &x, &y);
    for (index, series) in chart.series.iter().enumerate() {
        match chart.bars {
            true => bars(&mut svg, chart, index, &series.points, (&x, &y)),
            false => {
                let lift = LIFT * lines_beneath(chart, index, &y) as f64;
                lines(&mut svg, index, lift, &series.points, (&x, &y));
            }
        }
    }
    legend(&mut svg, chart, bottom + below);
    svg.finish()
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

/// The label for a value of an axis.
fn tell(axis: &Axis, value: f64) -> String {
    axis.names.get(value as usize).cloned().unwrap_or_else(|| shown(value))
}

fn axes(svg: &mut Svg, chart: &Chart, x: &Ruler, y: &Ruler) {
    let (bottom, right) = (TOP + PLOT_HEIGHT, WIDTH - RIGHT);
    for value in y.ticks() {
        let at = y.place(value);
        svg.line("grid", (LEFT, at), (right, at));
        svg.text("small end", (LEFT - 6.0, at + 4.0), &shown(value));
    }
    names(svg, &chart.x, x);
    svg.line("axis", (LEFT, bottom), (right, bottom));
    svg.line("axis", (LEFT, TOP), (LEFT, bottom));
    let middle = f64::midpoint(LEFT, right);
    svg.text("small middle", (middle, bottom + 36.0), &label(&chart.x));
    let centre = f64::midpoint(TOP, bottom);
    let place = format!("translate(13 {centre}) rotate(-90)");
    turned(svg, "small middle", &place, &label(&chart.y));
    if let Some(limit) = chart.limit {
        let at = y.place(limit);
        svg.line("axis", (LEFT, at), (right, at));
        let text = format!("not within {} {}", shown(limit), chart.y.label);
        svg.text("small end", (right, at - 9.0), &text);
    }
}

fn label(axis: &Axis) -> String {
    match axis.scale {
        Scale::Log => format!("{} (log scale)", axis.label),
        _ => axis.label.clone(),
    }
}

/// Writes the values of the lower axis below it.
fn names(svg: &mut Svg, axis: &Axis, x: &Ruler) {
    let bottom = TOP + PLOT_HEIGHT;
    // Names may be long, so every other one is a line lower.
    let is_named = !axis.names.is_empty();
    let mut free_from = [0.0; 2];
    for (index, value) in x.ticks().into_iter().enumerate() {
        let at = x.place(value);
        svg.line("axis", (at, bottom), (at, bottom + 4.0));
        let text = tell(axis, value);
        if is_crowded(axis) {
            let (x, y) = (Length::from(at), bottom + 14.0);
            let place = format!("translate({x} {y}) rotate(-40)");
            turned(svg, "small end", &place, &text);
            continue;
        }
        let row = if is_named { index % 2 } else { 0 };
        // Skip it where the last one leaves no room.
        let half = CHARACTER / 2.0 * text.chars().count() as f64;
        if at - half >= free_from[row] {
            let y = bottom + 18.0 + 15.0 * row as f64;
            svg.text("small middle", (at, y), &text);
            free_from[row] = at + half + 4.0;
        }
    }
}

/// Text that is turned.
fn turned(svg: &mut Svg, class: &str, place: &str, text: &str) {
    let text = escaped(text);
    svg.add(format_args!(
        "<text class=\"{class}\" transform=\"{place}\">{text}</text>"
    ));
}

/// Draws the mark of a series.
fn draw_mark(svg: &mut Svg, series: usize, (x, y): (f64, f64)) {
    let (x, y) = (Length::from(x), Length::from(y));
    let (class, shape) = (class(series), mark(series));
    svg.add(format_args!(
        "<path class=\"mark {class}\" transform=\"translate({x} {y})\" \
         d=\"{shape}\"/>"
    ));
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

fn lines(
    svg: &mut Svg,
    index: usize,
    lift: f64,
    points: &[Point],
    at: (&Ruler, &Ruler),
) {
    let class = class(index);
    let place = |x: f64, y: f64| (at.0.place(x), at.1.place(y) - lift);
    let mut line = Vec::new();
    for point in points {
        line.push(place(point.x, point.median()));
        let (least, most) = point.spread();
        if most > least {
            let class = format!("spread {class}");
            svg.line(&class, place(point.x, least), place(point.x, most));
        }
    }
    svg.polyline(&format!("line {class}"), &line);
    if line.len() <= MARKS_MAX {
        line.iter().for_each(|&place| draw_mark(svg, index, place));
    }
}

fn bars(
    svg: &mut Svg,
    chart: &Chart,
    index: usize,
    points: &[Point],
    (x, y): (&Ruler, &Ruler),
) {
    let of = chart.series.len() as f64;
    let width = x.step() * 0.8 / of;
    for point in points {
        let left = x.place(point.x) + width * (index as f64 - of / 2.0);
        let top = y.place(point.median());
        let size = (width * 0.92, y.from - top);
        svg.rect(svg.fill(&class(index)), (left, top), size);
        let middle = left + width * 0.46;
        let (least, most) = point.spread();
        svg.line("axis", (middle, y.place(least)), (middle, y.place(most)));
        let text = shown(point.median());
        if width > CHARACTER * text.len() as f64 {
            svg.text("small middle", (middle, y.place(most) - 4.0), &text);
        }
    }
}

fn legend(svg: &mut Svg, chart: &Chart, top: f64) {
    let column = (WIDTH - LEFT) / LEGEND_COLUMNS as f64;
    for (index, series) in chart.series.iter().enumerate() {
        let left = LEFT + column * (index % LEGEND_COLUMNS) as f64;
        let y = top + (index / LEGEND_COLUMNS) as f64 * LEGEND_ROW;
        let class = class(index);
        if chart.bars {
            svg.rect(svg.fill(&class), (left, y - 6.0), (34.0, 12.0));
        } else {
            svg.line(&format!("line {class}"), (left, y), (left + 34.0, y));
            draw_mark(svg, index, (left + 17.0, y));
        }
        svg.text("small", (left + 40.0, y + 4.0), &series.name);
    }
}

/// A number as a person would write it, with three digits at most.
pub fn shown(value: f64) -> String {
    let size = value.abs();
    let (value, unit) = match size {
        1e9.. => (value / 1e9, " G"),
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let places = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        0.01.. => 4,
        0.001.. => 5,
        _ => 6,
    };
    let text = format!("{value:.places$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
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

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1000.0, "1000"),
            (12_345.0, "12.3 k"),
            (2e6, "2 M"),
            (0.25, "0.25"),
            (99.96, "100"),
            (0.001_234, "0.00123"),
            (5.0, "5"),
        ];
        for (value, text) in cases {
            assert_eq!(shown(value), text);
        }
    }
}
