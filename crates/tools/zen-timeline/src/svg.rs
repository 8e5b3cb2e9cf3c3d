//! Draws a picture as SVG. Horizontal positions are percentages, so the picture
//! fills any width, from a phone to a projector, and text keeps its size.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use minijinja::{Value, context};
use zen_bench::template;
use zen_harness::waiting::COLOURS;

use crate::lane::{Lane, Span, State};
use crate::picture::{Picture, percent};
use crate::run::Run;
use crate::text::milliseconds;

/// How many clients can be told apart; the next one looks like the first.
const STYLES: usize = 6;

/// The parts of every picture.
pub(crate) const TEMPLATES: [(&str, &str); 4] = [
    ("start.svg", include_str!("../templates/start.svg")),
    ("lanes.svg", include_str!("../templates/lanes.svg")),
    ("legend.svg", include_str!("../templates/legend.svg")),
    ("style.css", include_str!("../templates/style.css")),
];

/// A whole picture. The name is one word, different from that of any other
/// drawing on the same page.
pub fn draw(picture: &Picture, run: &Run, name: &str) -> String {
    let own = ("picture.svg", include_str!("../templates/picture.svg"));
    let templates = [&[own], &TEMPLATES[..]].concat();
    let context = context! {
        // It has no text for a pointer to show, and a search of the page does
        // not find its words.
        is_figure => true,
        heads => heads(run),
        ..context(picture, run, name)
    };
    template::fill(&templates, context)
}

/// Everything in a picture.
pub(crate) fn context(picture: &Picture, run: &Run, name: &str) -> Value {
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let colours = COLOURS.map(Vec::from).to_vec();
    let states = State::all()
        .map(|it| context! { word => it.word(), hatch => it.hatch() });
    let says = State::all().map(|it| (it.word(), it.says()));
    let names = run.clients.iter().map(|it| it.name.clone());
    let (from, to) = picture.time;
    let percent = move |at| percent(at, (from, to));
    let lanes = picture.lanes.iter().enumerate();
    let entries = legend(picture);
    context! {
        name, colours,
        title => format!("{}: {}", run.name, run.scenario),
        description => description(picture),
        states => states.collect::<Value>(),
        says => says.collect::<BTreeMap<_, _>>(),
        exact => Value::from_function(|value: f64| value.to_string()),
        ms => Value::from_function(milliseconds),
        percent => Value::from_function(percent),
        from, to,
        styles => STYLES,
        lane_height => 65, bar => 28, gap => 26,
        ticks => ticks(picture),
        clients => picture.clients,
        names => names.collect::<Vec<_>>(),
        hidden => picture.hidden,
        lanes => lanes.map(lane).collect::<Value>(),
        legend_height => entries.len().div_ceil(2) * 20 - 8,
        entries,
    }
}

/// The headings: each line fits a narrow page.
fn heads(run: &Run) -> Vec<String> {
    let mut heads = vec![
        format!("{}: {}", run.name, run.scenario),
        run.command.chars().take(56).collect(),
    ];
    if let Some(it) = &run.slowdown {
        let times = it.times();
        let [traced, untraced] = [it.traced, it.untraced].map(milliseconds);
        heads.push(format!("An answer took {traced} under strace,"));
        heads.push(format!("{untraced} without: {times} times slower."));
    }
    heads
}

/// The description that a screen reader reads out.
fn description(picture: &Picture) -> String {
    let tasks = picture.lanes.len() - picture.clients;
    let mut text = format!(
        "{} clients above, {tasks} threads or processes below.",
        picture.clients
    );
    for lane in &picture.lanes[picture.clients..] {
        text += &format!(" {}: {}.", lane.label, shares(lane));
    }
    text
}

/// The pattern of a client.
fn class(client: impl Into<usize>) -> String {
    format!("c{}", client.into() % STYLES)
}

/// A round distance puts few marks on the axis.
fn ticks(picture: &Picture) -> Value {
    let (from, to) = picture.time;
    let mut steps =
        (0..).flat_map(|power| [1, 2, 5].map(|it| it * 10_i64.pow(power)));
    let step = steps.find(|step| (to - from) / step <= 5).unwrap_or(1);
    let first = from.div_euclid(step) * step;
    let marks = (first..=to).step_by(step as usize).filter(|at| *at >= from);
    let tick = |at| {
        let label = format!("{} ms", at as f64 / 1e3);
        context! { x => picture.percent(at), label }
    };
    marks.map(tick).collect()
}

/// A lane, and the periods in which it was busy with one client.
fn lane((index, lane): (usize, &Lane)) -> Value {
    let of_same =
        |a: &Span, b: &Span| a.client == b.client && a.time.1 == b.time.0;
    let strips = lane.spans.chunk_by(of_same).filter_map(|spans| {
        let (first, last) = (spans[0], spans[spans.len() - 1]);
        let time = vec![first.time.0, last.time.1];
        first.client.map(|client| context! { client, time })
    });
    context! {
        index,
        shares => shares(lane),
        strips => strips.collect::<Value>(),
        ..Value::from(Serde(lane))
    }
}

/// The states that occur, and what the lines and marks mean.
fn legend(picture: &Picture) -> Vec<Value> {
    let lanes = &picture.lanes;
    // A state that is too short to be seen needs no entry.
    let least = (picture.time.1 - picture.time.0) / 1_000;
    let occurs = |state: &State| {
        let times = lanes.iter().map(|lane| lane.time_in(*state));
        times.sum::<i64>() > least
    };
    // The pattern is that of the client that waits longest.
    let asked = |index: &usize| lanes[*index].time_in(State::Asked);
    let asker =
        (0..picture.clients).filter(|it| asked(it) > 0).max_by_key(asked);
    let states = State::all().filter(occurs).map(|it| {
        let asker = asker.filter(|_| it == State::Asked).map(class);
        let pattern = asker.unwrap_or_else(|| it.word().into());
        context! { word => it.word(), pattern, says => it.says() }
    });
    let others = [
        ("arrive", "above: bytes arrive"),
        ("leave", "below: bytes leave"),
        ("line c0", "for this client"),
        ("queued", "in the queue (inferred)"),
        ("birth", "is born"),
        ("death", "leaves, or ends"),
    ];
    // Tasks may also be older than the picture.
    let is_born =
        |it: &Lane| it.parent.is_some() && it.life.0 >= picture.time.0;
    let births = lanes.iter().any(is_born);
    let others = others.into_iter().filter(|it| births || it.0 != "birth");
    let others =
        others.map(|(word, says)| context! { word, pattern => "", says });
    states.chain(others).collect()
}

/// The share of its life that a lane spent in each state.
pub(crate) fn shares(lane: &Lane) -> String {
    let whole: i64 = lane.spans.iter().map(Span::length).sum();
    let share = |state: State| {
        let percent = 100.0 * lane.time_in(state) as f64 / whole.max(1) as f64;
        let says = state.says();
        (percent >= 0.05).then(|| format!("{says} {percent:.1} %"))
    };
    State::all().filter_map(share).collect::<Vec<_>>().join(", ")
}
