//! Draws a picture as SVG. Places in time are percentages, so that it takes
//! all the width that it is given, from a telephone's to a wall's, and text
//! keeps its size. There is no blank line in it: Markdown may include it.

mod lane;
mod legend;

use std::fmt::{Display, Write};

use zen_bench::svg::escaped;

use crate::picture::{Lane, Picture, Span, State};
use crate::run::Run;
use crate::text::milliseconds;

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
    svg.whole(&heads);
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
    chart.is_figure = false;
    chart.whole(&[]);
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
    /// It stays as it is: nobody points at a span, and a search for words
    /// would find them all.
    is_figure: bool,
    picture: &'a Picture,
    run: &'a Run,
}

impl<'a> Svg<'a> {
    fn new(picture: &'a Picture, run: &'a Run, name: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric();
        let name = name.replace(|c| !is_plain(c), "-");
        Self { text: String::new(), name, is_figure: true, picture, run }
    }

    fn add(&mut self, what: impl Display) {
        // To a String there is always room.
        _ = writeln!(self.text, "{what}");
    }

    fn whole(&mut self, heads: &[String]) {
        let top = LINE * heads.len() + 14;
        let lanes = self.picture.lanes.len();
        let gap = 26;
        let bottom = top + LANE * lanes + gap + 8;
        let hidden = usize::from(self.picture.hidden > 0) * LINE;
        let legend = bottom + hidden + 34;
        let height = match self.is_figure {
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
            self.label("small", "0", bottom + 14 + LINE, &more);
        }
        self.add("</svg>");
        if self.is_figure {
            self.legend(legend);
        }
        self.add("</svg>");
    }

    /// What stands above: each line fits into a narrow page.
    fn heads(&self) -> Vec<String> {
        let mut heads =
            vec![format!("{}: {}", self.run.name, self.run.scenario)];
        // As much of it as fits.
        heads.push(self.run.command.chars().take(56).collect());
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
                // The last one would be cut.
                let class = if x > 95.0 { "tick end" } else { "tick" };
                self.label(class, &format!("{x}%"), bottom + 14, &text);
            }
            at += step;
        }
    }

    /// Others were born before the picture begins.
    fn shows_birth(&self, lane: &Lane) -> bool {
        lane.parent.is_some() && lane.life.0 >= self.picture.time.0
    }

    /// A line from the one who starts a thread or process to the new lane.
    fn births(&mut self, y: &dyn Fn(usize) -> usize) {
        for (index, lane) in self.picture.lanes.iter().enumerate() {
            let Some(parent) = lane.parent else { continue };
            if !self.shows_birth(lane) {
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
            if whole / (step * factor) <= 5 {
                return step * factor;
            }
        }
        step *= 10;
    }
}
