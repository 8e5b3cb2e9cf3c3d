//! Draws a picture as SVG. Horizontal positions are percentages, so the picture
//! fills any width, from a phone to a projector, and text keeps its size.

use zen_bench::svg::{self, Length, Svg, escaped};
use zen_harness::waiting::COLOURS;

use crate::lane::{Lane, Mark, Span, State};
use crate::picture::Picture;
use crate::run::Run;
use crate::text::milliseconds;

/// How many clients can be told apart; the next one looks like the first.
const STYLES: usize = 6;

/// The styles that only timelines need.
const STYLE: &str = include_str!("style.css");

/// Heights within a lane, from its top to its bottom.
const LABEL: usize = 13;
const ARRIVES: usize = 21;
const BAR: usize = 28;
const BAR_HEIGHT: usize = 16;
const STRIP: usize = BAR + BAR_HEIGHT + 3;
const LEAVES: usize = STRIP + 8;
const LANE: usize = LEAVES + 10;

const LINE: usize = 18;

/// The gap between the clients and the tasks.
const GAP: usize = 26;

/// A whole picture. The name is one word, different from that of any other
/// drawing on the same page.
pub fn draw(picture: &Picture, run: &Run, name: &str) -> String {
    let heads = heads(run);
    let top = LINE * heads.len() + 14;
    let y = height(picture, top) + LINE;
    let whole = y + legend_height(picture);
    let mut sheet = Sheet::new(picture, run, name, whole);
    sheet.is_figure = true;
    for (index, head) in heads.iter().enumerate() {
        let class = if index == 0 { "head" } else { "small" };
        sheet.svg.text(class, (8, LINE * (index + 1)), head);
    }
    sheet.lanes(top, whole);
    legend(&mut sheet.svg, picture, y);
    sheet.svg.finish()
}

/// A picture without its headings, and the legend on its own.
pub fn draw_parts(
    picture: &Picture,
    run: &Run,
    name: &str,
) -> (String, String) {
    let whole = height(picture, 14);
    let mut chart = Sheet::new(picture, run, name, whole);
    chart.lanes(14, whole);
    let mut svg = Svg::part(name);
    let height = legend_height(picture) + 14;
    svg.add(format_args!(
        "<svg class=\"zt zt-legend\" width=\"100%\" height=\"{height}\" \
         role=\"img\" aria-label=\"Legend\">"
    ));
    legend(&mut svg, picture, 18);
    (chart.svg.finish(), svg.finish())
}

/// The lower edge of the lanes, if they begin at `top`.
fn bottom(picture: &Picture, top: usize) -> usize {
    top + LANE * picture.lanes.len() + GAP + 8
}

/// The height of everything except the legend.
fn height(picture: &Picture, top: usize) -> usize {
    let hidden = if picture.hidden > 0 { LINE } else { 0 };
    bottom(picture, top) + hidden + 34 - LINE
}

/// The headings: each line fits a narrow page.
fn heads(run: &Run) -> Vec<String> {
    let mut heads = vec![
        format!("{}: {}", run.name, run.scenario),
        run.command.chars().take(56).collect(),
    ];
    if let Some(it) = &run.slowdown {
        let times = it.traced as f64 / it.untraced.max(1) as f64;
        let [traced, untraced] = [it.traced, it.untraced].map(milliseconds);
        heads.push(format!("An answer took {traced} under strace,"));
        heads.push(format!("{untraced} without: {times:.1} times slower."));
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

/// The class of a client.
fn class(client: impl Into<usize>) -> String {
    svg::class(client.into() % STYLES)
}

struct Sheet<'a> {
    svg: Svg,
    /// It is a figure and not a page: it has no text for a pointer to show, and
    /// a search of the page does not find its words.
    is_figure: bool,
    picture: &'a Picture,
    run: &'a Run,
}

impl<'a> Sheet<'a> {
    fn new(
        picture: &'a Picture,
        run: &'a Run,
        name: &str,
        height: usize,
    ) -> Self {
        let root = format!("class=\"zt\" width=\"100%\" height=\"{height}\"");
        let title = format!("{}: {}", run.name, run.scenario);
        let mut svg = Svg::new(name, root, &title, &description(picture));
        svg.style("zt", &COLOURS, STYLE);
        svg.add("<defs>");
        for state in State::all() {
            svg.pattern(state.word(), state.hatch());
        }
        svg.hatches(STYLES);
        for style in 0..STYLES {
            let id = svg.id(&format!("m{style}"));
            let shape = svg::mark(style);
            svg.add(format_args!("<path id=\"{id}\" d=\"{shape}\"/>"));
        }
        svg.add(
            "</defs>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>",
        );
        Self { svg, is_figure: false, picture, run }
    }

    /// Everything that is positioned by time.
    fn lanes(&mut self, top: usize, height: usize) {
        let picture = self.picture;
        let bottom = bottom(picture, top);
        self.svg.add(format_args!(
            "<svg x=\"10\" width=\"96.5%\" height=\"{height}\" \
             overflow=\"visible\" class=\"time\">"
        ));
        self.axis(top, bottom);
        let y = |lane: usize| {
            top + LANE * lane + if lane < picture.clients { 0 } else { GAP }
        };
        // From the lane of the parent to that of the new thread or process.
        for (index, lane) in picture.lanes.iter().enumerate() {
            let Some(parent) = lane.parent else { continue };
            if shows_birth(picture, lane) {
                let (from, to) = (y(parent) + BAR, y(index) + BAR);
                let x = picture.percent(lane.life.0);
                self.upright("birth", x, from, to);
                self.svg.add(format_args!(
                    "<circle class=\"birth\" cx=\"{x}%\" cy=\"{to}\" r=\"3\"/>"
                ));
            }
        }
        for lane in 0..picture.lanes.len() {
            self.lane(lane, y(lane));
        }
        if picture.hidden > 0 {
            let more = format!("and {} more, not drawn", picture.hidden);
            self.svg.text("small", (0, bottom + 14 + LINE), &more);
        }
        self.svg.add("</svg>");
    }

    /// A vertical line at this percentage of the width.
    fn upright(&mut self, class: &str, x: f64, from: usize, to: usize) {
        let x = || Length::percent(x);
        self.svg.line(class, (x(), from), (x(), to));
    }

    fn axis(&mut self, top: usize, bottom: usize) {
        let (from, to) = self.picture.time;
        let step = tick(to - from);
        let mut at = from.div_euclid(step) * step;
        while at <= to {
            if at >= from {
                let x = self.picture.percent(at);
                self.upright("grid", x, top, bottom);
                let text = format!("{} ms", at as f64 / 1e3);
                // A centred label would be cut off at the edge.
                let class = if x > 95.0 { "tick end" } else { "tick" };
                self.svg.text(class, (Length::percent(x), bottom + 14), &text);
            }
            at += step;
        }
    }

    /// A lane: what it did, for which client, and the bytes in and out.
    fn lane(&mut self, index: usize, y: usize) {
        let lane = &self.picture.lanes[index];
        let is_client = index < self.picture.clients;
        self.svg.add(format_args!("<g class=\"lane\" data-lane=\"{index}\">"));
        self.svg.add("<g class=\"label\">");
        if is_client {
            self.symbol((index as u16, true), "6", y + LABEL - 4, "");
        }
        let x = if is_client { 14 } else { 0 };
        self.svg.text("name", (x, y + LABEL), &lane.label);
        self.svg.add("</g>");
        for span in &lane.spans {
            self.span(index, lane, span, y + BAR);
        }
        self.strips(lane, y + STRIP);
        for mark in &lane.marks {
            let row = if mark.arrives { ARRIVES } else { LEAVES };
            self.mark(mark, y + row);
        }
        if lane.death.is_some() && lane.life.1 <= self.picture.time.1 {
            let x = self.picture.percent(lane.life.1);
            self.upright("death", x, y + BAR - 4, y + BAR + BAR_HEIGHT + 4);
        }
        self.svg.add("</g>");
    }

    fn span(&mut self, index: usize, lane: &Lane, span: &Span, y: usize) {
        let is_client = index < self.picture.clients;
        let from = self.picture.percent(span.time.0);
        let width = self.picture.percent(span.time.1) - from;
        let width = (width * 1000.0).round() / 1000.0;
        let word = span.state.word();
        let fill = match span.state {
            State::Asked if is_client => self.svg.fill(&class(index)),
            _ => self.svg.fill(word),
        };
        let says = self.says(|| self.span_says(lane, span));
        let attributes = format!("class=\"{word}\" {fill}{says}");
        let at = (Length::percent(from), y);
        self.svg.rect(attributes, at, (Length::percent(width), BAR_HEIGHT));
        if width < 4.0 || span.state == State::Idle {
            return;
        }
        // It is cut off at the end of its span, and left out on a narrow page.
        let class = if width < 10.0 { "short" } else { "word" };
        self.svg.add(format_args!(
            "<svg class=\"{class}\" x=\"{from}%\" y=\"{y}\" \
             width=\"{width}%\" height=\"{BAR_HEIGHT}\"><text class=\"halo\" \
             x=\"5\" y=\"12\">{word}</text></svg>"
        ));
    }

    fn mark(&mut self, mark: &Mark, y: usize) {
        let x = format!("{}%", self.picture.percent(mark.at));
        let says = self.says(|| {
            let Mark { at, bytes, calls, .. } = *mark;
            let what = if mark.arrives { "arrive" } else { "leave" };
            let client = self.run.clients.get(mark.client as usize);
            let name = client.map_or("", |client| &client.name);
            let at = milliseconds(at);
            format!("{name}: {bytes} bytes {what}, calls: {calls}, from {at}")
        });
        self.symbol((mark.client, mark.arrives), &x, y, &says);
    }

    /// The client of each span; on a client's lane, the time before it was
    /// accepted.
    fn strips(&mut self, lane: &Lane, y: usize) {
        let picture = self.picture;
        let place = |at| (Length::percent(picture.percent(at)), y);
        if let Some((from, to)) = lane.queued {
            self.svg.line("strip queued", place(from), place(to));
        }
        let of_same =
            |a: &Span, b: &Span| a.client == b.client && a.time.1 == b.time.0;
        for spans in lane.spans.chunk_by(of_same) {
            let (first, last) = (spans[0], spans[spans.len() - 1]);
            if let Some(client) = first.client {
                let class = format!("strip line {}", class(client));
                let (from, to) = (first.time.0, last.time.1);
                self.svg.line(&class, place(from), place(to));
            }
        }
    }

    /// The mark of a client, filled or hollow.
    fn symbol(
        &mut self,
        (client, is_full): (u16, bool),
        x: &str,
        y: usize,
        says: &str,
    ) {
        let class = format!("{}{}", class(client), hollow(is_full));
        let id = self.svg.id(&format!("m{}", usize::from(client) % STYLES));
        self.svg.add(format_args!(
            "<use href=\"#{id}\" class=\"mark {class}\" x=\"{x}\" y=\"{y}\"{says}/>"
        ));
    }

    /// What is shown for a part under the pointer.
    fn says(&self, text: impl Fn() -> String) -> String {
        match self.is_figure {
            true => String::new(),
            false => format!(" data-says=\"{}\"", escaped(&text())),
        }
    }

    fn span_says(&self, lane: &Lane, span: &Span) -> String {
        let [from, to] = [span.time.0, span.time.1].map(milliseconds);
        let client =
            span.client.and_then(|it| self.run.clients.get(it as usize));
        let whose = client.map(|client| format!(" ({})", client.name));
        let (label, says) = (&lane.label, span.state.says());
        let whose = whose.unwrap_or_default();
        format!("{label}: {says}, {from} to {to}{whose}")
    }
}

fn hollow(is_full: bool) -> &'static str {
    if is_full { "" } else { " hollow" }
}

/// Tasks may also be older than the picture.
fn shows_birth(picture: &Picture, lane: &Lane) -> bool {
    lane.parent.is_some() && lane.life.0 >= picture.time.0
}

fn legend_height(picture: &Picture) -> usize {
    legend_entries(picture).len().div_ceil(2) * 20 - 8
}

/// The states that occur, and what the lines and marks mean.
fn legend_entries(picture: &Picture) -> Vec<(Entry, &'static str)> {
    let lanes = &picture.lanes;
    // A state that is too short to be seen needs no entry.
    let least = (picture.time.1 - picture.time.0) / 1_000;
    let occurs = |state: &State| {
        let spans = lanes.iter().flat_map(|lane| &lane.spans);
        let spans = spans.filter(|span| span.state == *state);
        spans.map(Span::length).sum::<i64>() > least
    };
    let states = State::all().filter(occurs);
    let mut entries: Vec<_> =
        states.map(|it| (Entry::State(it), it.says())).collect();
    entries.extend([
        (Entry::Mark(true), "above: bytes arrive"),
        (Entry::Mark(false), "below: bytes leave"),
        (Entry::Strip("line c0"), "for this client"),
        (Entry::Strip("queued"), "in the queue (inferred)"),
    ]);
    if lanes.iter().any(|lane| shows_birth(picture, lane)) {
        entries.push((Entry::Birth, "is born"));
    }
    entries.push((Entry::Death, "leaves, or ends"));
    entries
}

/// The legend explains the pattern of the client that waits longest.
fn asker(picture: &Picture) -> Option<usize> {
    let asked = |index: &usize| -> i64 {
        let spans = picture.lanes[*index].spans.iter();
        let spans = spans.filter(|span| span.state == State::Asked);
        spans.map(Span::length).sum()
    };
    (0..picture.clients).filter(|it| asked(it) > 0).max_by_key(asked)
}

enum Entry {
    State(State),
    Mark(bool),
    Strip(&'static str),
    Birth,
    Death,
}

fn legend(svg: &mut Svg, picture: &Picture, top: usize) {
    for (index, (entry, says)) in
        legend_entries(picture).into_iter().enumerate()
    {
        let x = if index % 2 == 0 { "8" } else { "51%" };
        let y = top + index / 2 * 20;
        // Within it, the origin is where the words begin.
        svg.add(format_args!("<svg x=\"{x}\" y=\"{y}\" overflow=\"visible\">"));
        match entry {
            Entry::State(state) => {
                let word = state.word();
                let fill =
                    match asker(picture).filter(|_| state == State::Asked) {
                        Some(client) => svg.fill(&class(client)),
                        None => svg.fill(word),
                    };
                let attributes = format!("class=\"{word}\" {fill}");
                svg.rect(attributes, (0, -11.0), (24, 14));
            }
            Entry::Mark(is_full) => {
                let (id, hollow) = (svg.id("m0"), hollow(is_full));
                svg.add(format_args!(
                    "<use href=\"#{id}\" class=\"mark c0{hollow}\" x=\"12\" \
                     y=\"-4\"/>"
                ));
            }
            Entry::Strip(class) => {
                svg.line(&format!("strip {class}"), (0, -4.0), (24, -4.0));
            }
            Entry::Birth => {
                svg.line("birth", (12, -13.0), (12, 0));
                svg.add("<circle class=\"birth\" cx=\"12\" cy=\"0\" r=\"3\"/>");
            }
            Entry::Death => svg.line("death", (12, -14.0), (12, 4)),
        }
        svg.text("small", (32, 0), says);
        svg.add("</svg>");
    }
}

/// The share of its life that a lane spent in each state.
pub fn shares(lane: &Lane) -> String {
    let whole: i64 = lane.spans.iter().map(Span::length).sum();
    let mut shares = Vec::new();
    for state in State::all() {
        let spans = lane.spans.iter().filter(|span| span.state == state);
        let part: i64 = spans.map(Span::length).sum();
        let percent = 100.0 * part as f64 / whole.max(1) as f64;
        if percent >= 0.05 {
            shares.push(format!("{} {percent:.1} %", state.says()));
        }
    }
    shares.join(", ")
}

/// A round distance that puts few marks on the axis.
fn tick(whole: i64) -> i64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if whole / (step * factor) <= 5 {
                return step * factor;
            }
        }
        step *= 10;
    }
}
