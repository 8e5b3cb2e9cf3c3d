//! Draws a picture as SVG. Places in time are percentages, so that it takes
//! all the width that it is given, from a telephone's to a wall's, and text
//! keeps its size. There is no blank line in it: Markdown may include it.

use std::fmt::{Display, Write};

use crate::picture::{Lane, Picture, Span, State};
use crate::run::Run;

/// So many clients can be told apart; further ones begin anew.
const STYLES: usize = 6;

/// The look of everything, for pages of mdBook and for files of their own.
const STYLE: &str = include_str!("style.css");

/// Heights, from the top of a lane to its bottom.
const LABEL: usize = 13;
const ARRIVES: usize = 21;
const BAR: usize = 28;
const BAR_HEIGHT: usize = 16;
const STRIP: usize = BAR + BAR_HEIGHT + 3;
const LEAVES: usize = STRIP + 8;
const LANE: usize = LEAVES + 10;

const LINE: usize = 18;

/// A whole picture. The name is one word, different from that of any other
/// one on the same page.
#[must_use]
pub fn draw(picture: &Picture, run: &Run, name: &str) -> String {
    let mut svg = Svg::new(picture, run, name);
    let heads = svg.heads();
    svg.whole(&heads, true);
    svg.text
}

/// A picture without its heads, and the legend by itself.
#[must_use]
pub fn draw_parts(
    picture: &Picture,
    run: &Run,
    name: &str,
) -> (String, String) {
    let mut chart = Svg::new(picture, run, name);
    chart.whole(&[], false);
    let mut legend = Svg::new(picture, run, name);
    let height = legend.legend_height() + 14;
    legend.add(format_args!(
        "<svg class=\"zt zt-legend\" width=\"100%\" height=\"{height}\" \
         role=\"img\" aria-label=\"Legend\">"
    ));
    legend.legend(18);
    legend.add("</svg>");
    (chart.text, legend.text)
}

struct Svg<'a> {
    text: String,
    name: String,
    picture: &'a Picture,
    run: &'a Run,
}

/// A moment as people like to read it.
#[must_use]
pub fn milliseconds(at: i64) -> String {
    match at.abs() {
        0..1_000 => format!("{at} \u{b5}s"),
        1_000..100_000 => format!("{:.1} ms", at as f64 / 1e3),
        _ => format!("{} ms", (at as f64 / 1e3).round()),
    }
}

/// Text that may stand between tags and in quotation marks.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // XML has no way to say others; and no line is blank.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl<'a> Svg<'a> {
    fn new(picture: &'a Picture, run: &'a Run, name: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric();
        let name = name.replace(|c| !is_plain(c), "-");
        Self { text: String::new(), name, picture, run }
    }

    fn add(&mut self, what: impl Display) {
        // To a String there is always room.
        _ = writeln!(self.text, "{what}");
    }

    fn whole(&mut self, heads: &[String], has_legend: bool) {
        let top = LINE * heads.len() + 14;
        let lanes = self.picture.lanes.len();
        let gap = 26;
        let bottom = top + LANE * lanes + gap + 8;
        let hidden = usize::from(self.picture.hidden > 0) * LINE;
        let legend = bottom + hidden + 34;
        let height = match has_legend {
            true => legend + self.legend_height(),
            false => legend - LINE,
        };
        let name = self.name.clone();
        self.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"zt\" \
             width=\"100%\" height=\"{height}\" role=\"img\" \
             aria-labelledby=\"{name}-t {name}-d\">"
        ));
        let title = format!("{}: {}", self.run.name, self.run.scenario);
        let title = escaped(&title);
        self.add(format_args!("<title id=\"{name}-t\">{title}</title>"));
        let description = escaped(&self.description());
        self.add(format_args!("<desc id=\"{name}-d\">{description}</desc>"));
        self.add(format_args!("<style>\n{}</style>", STYLE));
        self.definitions();
        self.add("<rect class=\"paper\" width=\"100%\" height=\"100%\"/>");
        for (index, head) in heads.iter().enumerate() {
            let class = if index == 0 { "head" } else { "small" };
            let y = LINE * (index + 1);
            self.label(class, "8", y, head);
        }
        // Everything within is placed by time.
        self.add(format_args!(
            "<svg x=\"10\" width=\"96.5%\" height=\"{height}\" \
             overflow=\"visible\" class=\"time\">"
        ));
        self.axis(top, bottom);
        let y = |lane: usize| {
            top + LANE * lane
                + if lane < self.picture.clients { 0 } else { gap }
        };
        self.births(&y);
        for lane in 0..lanes {
            self.lane(lane, y(lane));
        }
        if hidden > 0 {
            let more = self.picture.hidden;
            let more = format!("and {more} more, not drawn");
            self.label("small", "0", bottom + LINE, &more);
        }
        self.add("</svg>");
        if has_legend {
            self.legend(legend);
        }
        self.add("</svg>");
    }

    /// What stands above: each line fits into a narrow page.
    fn heads(&self) -> Vec<String> {
        let mut heads =
            vec![format!("{}: {}", self.run.name, self.run.scenario)];
        if let Some(it) = &self.run.slowdown {
            let times = it.traced as f64 / it.untraced.max(1) as f64;
            heads.push(format!(
                "An answer took {} under strace,",
                milliseconds(it.traced)
            ));
            heads.push(format!(
                "{} without: {times:.1} times slower.",
                milliseconds(it.untraced)
            ));
        }
        heads
    }

    /// For those who cannot see it.
    fn description(&self) -> String {
        let tasks = self.picture.lanes.len() - self.picture.clients;
        let mut text = format!(
            "{} clients above, {tasks} threads or processes below.",
            self.picture.clients
        );
        for lane in &self.picture.lanes[self.picture.clients..] {
            text += &format!(" {}: {}.", lane.label, shares(lane));
        }
        text
    }

    fn label(&mut self, class: &str, x: &str, y: usize, text: &str) {
        let text = escaped(text);
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        ));
    }

    fn axis(&mut self, top: usize, bottom: usize) {
        let (from, to) = self.picture.time;
        let step = tick(to - from);
        let mut at = from.div_euclid(step) * step;
        while at <= to {
            if at >= from {
                let x = self.picture.percent(at);
                self.add(format_args!(
                    "<line class=\"grid\" x1=\"{x}%\" x2=\"{x}%\" \
                     y1=\"{top}\" y2=\"{bottom}\"/>"
                ));
                let text = format!("{} ms", at as f64 / 1e3);
                self.label("tick", &format!("{x}%"), bottom + 14, &text);
            }
            at += step;
        }
    }

    /// A line from the one who starts a thread or process to the new lane.
    fn births(&mut self, y: &dyn Fn(usize) -> usize) {
        for (index, lane) in self.picture.lanes.iter().enumerate() {
            let Some(parent) = lane.parent else { continue };
            if lane.life.0 < self.picture.time.0 {
                continue;
            }
            let x = self.picture.percent(lane.life.0);
            let from = y(parent) + BAR;
            let to = y(index) + BAR;
            self.add(format_args!(
                "<line class=\"birth\" x1=\"{x}%\" x2=\"{x}%\" y1=\"{from}\" \
                 y2=\"{to}\"/>\n<circle class=\"birth\" cx=\"{x}%\" \
                 cy=\"{to}\" r=\"3\"/>"
            ));
        }
    }

    fn lane(&mut self, index: usize, y: usize) {
        let lane = &self.picture.lanes[index];
        let is_client = index < self.picture.clients;
        self.add(format_args!("<g class=\"lane\" data-lane=\"{index}\">"));
        self.add("<g class=\"label\">");
        if is_client {
            let at = y + LABEL - 4;
            let symbol = self.symbol(index as u16, true, "6", at);
            self.add(symbol);
        }
        let x = if is_client { "14" } else { "0" };
        self.label("name", x, y + LABEL, &lane.label);
        self.add("</g>");
        for span in &lane.spans {
            let (from, to) = (
                self.picture.percent(span.time.0),
                self.picture.percent(span.time.1),
            );
            let width = ((to - from) * 1000.0).round() / 1000.0;
            let fill = if is_client && span.state == State::Asked {
                format!("url(#{}-c{})", self.name, index % STYLES)
            } else {
                format!("url(#{}-{})", self.name, span.state.word())
            };
            let class = span.state.word();
            let says = self.says(lane, span);
            self.add(format_args!(
                "<rect class=\"{class}\" fill=\"{fill}\" x=\"{from}%\" \
                 y=\"{}\" width=\"{width}%\" height=\"{BAR_HEIGHT}\">\
                 <title>{says}</title></rect>",
                y + BAR
            ));
            // Cut where its span ends.
            if width >= 4.0 && !(is_client && span.state == State::Idle) {
                let word = span.state.word();
                let class = if width < 10.0 { "short" } else { "word" };
                self.add(format_args!(
                    "<svg class=\"{class}\" x=\"{from}%\" y=\"{}\" \
                     width=\"{width}%\" height=\"{BAR_HEIGHT}\"><text \
                     class=\"halo\" x=\"5\" y=\"12\">{word}</text></svg>",
                    y + BAR
                ));
            }
        }
        self.strips(lane, y + STRIP);
        for mark in &lane.marks {
            let row = if mark.arrives { ARRIVES } else { LEAVES };
            let x = format!("{}%", self.picture.percent(mark.at));
            let symbol = self.symbol(mark.client, mark.arrives, &x, y + row);
            self.add(symbol);
        }
        if lane.death.is_some() && lane.life.1 <= self.picture.time.1 {
            let x = self.picture.percent(lane.life.1);
            self.add(format_args!(
                "<line class=\"death\" x1=\"{x}%\" x2=\"{x}%\" y1=\"{}\" \
                 y2=\"{}\"/>",
                y + BAR - 4,
                y + BAR + BAR_HEIGHT + 4
            ));
        }
        self.add("</g>");
    }

    /// Whom each time concerns; on a client's lane, when it was not accepted.
    fn strips(&mut self, lane: &Lane, y: usize) {
        let mut line = |class: &str, (from, to): (i64, i64)| {
            let from = self.picture.percent(from);
            let to = self.picture.percent(to);
            self.add(format_args!(
                "<line class=\"strip {class}\" x1=\"{from}%\" x2=\"{to}%\" \
                 y1=\"{y}\" y2=\"{y}\"/>"
            ));
        };
        if let Some(time) = lane.queued {
            line("queued", time);
        }
        let mut strip: Option<(u16, (i64, i64))> = None;
        for span in &lane.spans {
            match (&mut strip, span.client) {
                (Some((of, time)), Some(client))
                    if *of == client && time.1 == span.time.0 =>
                {
                    time.1 = span.time.1;
                }
                (_, client) => {
                    if let Some((of, time)) = strip {
                        line(&format!("s{}", of as usize % STYLES), time);
                    }
                    strip = client.map(|client| (client, span.time));
                }
            }
        }
        if let Some((of, time)) = strip {
            line(&format!("s{}", of as usize % STYLES), time);
        }
    }

    fn symbol(&self, client: u16, full: bool, x: &str, y: usize) -> String {
        let style = client as usize % STYLES;
        let full = if full { "full" } else { "hollow" };
        format!(
            "<use href=\"#{}-m{style}\" class=\"m{style} {full}\" x=\"{x}\" \
             y=\"{y}\"/>",
            self.name
        )
    }

    fn says(&self, lane: &Lane, span: &Span) -> String {
        let (from, to) = span.time;
        let mut text = format!(
            "{}: {}, {} to {}",
            lane.label,
            span.state.says(),
            milliseconds(from),
            milliseconds(to)
        );
        let client =
            span.client.and_then(|it| self.run.clients.get(it as usize));
        if let Some(client) = client {
            text += &format!(" ({})", client.name);
        }
        escaped(&text)
    }

    fn definitions(&mut self) {
        let name = self.name.clone();
        self.add("<defs>");
        for state in State::ALL {
            let word = state.word();
            // A tile of 8 by 8, and the lines on it.
            let lines = match state {
                State::Work | State::Idle => "",
                State::Accept => "M2 2h2M6 6h2",
                State::Recv => "M-2 2L2 -2M0 8L8 0M6 10L10 6",
                State::Poll => "M0 2H8M0 6H8",
                State::Futex => "M0 0L8 8M8 0L0 8",
                State::Send => "M-2 6L2 10M0 0L8 8M6 -2L10 2",
                State::Sleep => "M2 0V8",
                State::Other => "M4 0V8M0 4H8",
                State::Asked => "M-2 2L2 -2M0 8L8 0M6 10L10 6",
            };
            self.pattern(
                &format!("{name}-{word}"),
                &format!("p-{word}"),
                lines,
            );
        }
        for (style, (lines, shape)) in [
            ("", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"),
            ("M-2 2L2 -2M0 8L8 0M6 10L10 6", "M-3.5 -3.5H3.5V3.5H-3.5Z"),
            ("M0 2H8M0 6H8", "M0 -4.5L4.5 3.5H-4.5Z"),
            ("M2 0V8M6 0V8", "M0 -5L4.5 0L0 5L-4.5 0Z"),
            ("M0 0L8 8M8 0L0 8", "M0 4.5L4.5 -3.5H-4.5Z"),
            (
                "M2 2h2M6 6h2",
                "M-4.5 -1.5H-1.5V-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5Z",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            self.pattern(
                &format!("{name}-c{style}"),
                &format!("p-c{style}"),
                lines,
            );
            self.add(format_args!(
                "<path id=\"{name}-m{style}\" d=\"{shape}\"/>"
            ));
        }
        self.add("</defs>");
    }

    fn pattern(&mut self, id: &str, class: &str, lines: &str) {
        self.add(format_args!(
            "<pattern id=\"{id}\" class=\"{class}\" width=\"8\" height=\"8\" \
             patternUnits=\"userSpaceOnUse\"><rect width=\"8\" \
             height=\"8\"/><path d=\"{lines}\"/></pattern>"
        ));
    }

    fn legend_height(&self) -> usize {
        let rows = self.legend_entries().len().div_ceil(2);
        rows * 20 + 8
    }

    /// The states that occur, and what the lines and marks mean.
    fn legend_entries(&self) -> Vec<(String, &'static str)> {
        let lanes = &self.picture.lanes;
        // What nobody can see in the picture needs no entry.
        let least = (self.picture.time.1 - self.picture.time.0) / 1_000;
        let occurs = |state: &State| {
            let spans = lanes.iter().flat_map(|lane| &lane.spans);
            let spans = spans.filter(|span| span.state == *state);
            let time: i64 = spans.map(Span::length).sum();
            time > least
        };
        let mut entries: Vec<_> = State::ALL
            .into_iter()
            .filter(occurs)
            .map(|state| {
                let (name, word) = (&self.name, state.word());
                let swatch = format!(
                    "<rect class=\"{word}\" fill=\"url(#{name}-{word})\" \
                     y=\"-11\" width=\"24\" height=\"14\"/>"
                );
                (swatch, state.says())
            })
            .collect();
        let strip = |class: &str| {
            format!(
                "<line class=\"strip {class}\" x1=\"0\" x2=\"24\" y1=\"-4\" \
                 y2=\"-4\"/>"
            )
        };
        let name = &self.name;
        let mark = |class: &str| {
            format!(
                "<use href=\"#{name}-m0\" class=\"m0 {class}\" x=\"12\" \
                 y=\"-4\"/>"
            )
        };
        entries.push((mark("full"), "above: bytes arrive"));
        entries.push((mark("hollow"), "below: bytes leave"));
        entries.push((strip("s0"), "for this client"));
        entries.push((strip("queued"), "in the queue (inferred)"));
        if lanes.iter().any(|lane| lane.parent.is_some()) {
            let line = "<line class=\"birth\" x1=\"12\" x2=\"12\" y1=\"-13\" \
                        y2=\"0\"/><circle class=\"birth\" cx=\"12\" cy=\"0\" \
                        r=\"3\"/>";
            entries.push((line.into(), "is born"));
        }
        let line = "<line class=\"death\" x1=\"12\" x2=\"12\" y1=\"-14\" \
                    y2=\"4\"/>";
        entries.push((line.into(), "leaves, or ends"));
        entries
    }

    fn legend(&mut self, y: usize) {
        for (index, (swatch, says)) in
            self.legend_entries().into_iter().enumerate()
        {
            let x = if index % 2 == 0 { "8" } else { "51%" };
            let y = y + index / 2 * 20;
            self.add(format_args!(
                "<svg x=\"{x}\" y=\"{y}\" overflow=\"visible\">{swatch}<text \
                 class=\"small\" x=\"32\" y=\"0\">{says}</text></svg>"
            ));
        }
    }
}

/// How much of its life a lane spent in what.
#[must_use]
pub fn shares(lane: &Lane) -> String {
    let whole: i64 = lane.spans.iter().map(Span::length).sum();
    let mut shares = Vec::new();
    for state in State::ALL {
        let spans = lane.spans.iter().filter(|span| span.state == state);
        let part: i64 = spans.map(Span::length).sum();
        let percent = 100.0 * part as f64 / whole.max(1) as f64;
        if percent >= 0.05 {
            shares.push(format!("{} {percent:.1} %", state.says()));
        }
    }
    shares.join(", ")
}

/// A round distance between marks on the axis, of which there are few.
fn tick(whole: i64) -> i64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            if whole / (step * factor) <= 7 {
                return step * factor;
            }
        }
        step *= 10;
    }
}
