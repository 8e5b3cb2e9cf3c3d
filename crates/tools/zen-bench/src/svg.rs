//! SVG drawings with one look for all figures of the book; zen-timeline draws
//! with this module too.
//!
//! A drawing follows mdBook's theme on a page, and otherwise the reader's
//! preference for light or dark. Series differ not only in colour. No line is
//! blank, so that Markdown can include a drawing.

use std::fmt::{self, Display};

use zen_harness::waiting::{CROSSED, DOWN, UP};

/// How many series can be told apart; the next one looks like the first.
pub const STYLES: usize = 8;

/// For each series: its colour on light and on dark paper, its dashes, the
/// lines of its hatch on a tile of 8 by 8, and the shape of its mark. The
/// colours have enough contrast, also for people who are colour-blind.
const SERIES: [[&str; 5]; STYLES] = [
    ["#0b5fa5", "#6cb6ff", "none", "", "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z"],
    ["#b3470e", "#ffa264", "9 4", UP, "M-3.5 -3.5H3.5V3.5H-3.5Z"],
    ["#1d7a46", "#6fd69a", "2 4", "M0 2H8M0 6H8", "M0 -4.5L4.5 3.5H-4.5Z"],
    [
        "#9c2380",
        "#f59be0",
        "12 4 2 4",
        "M2 0V8M6 0V8",
        "M0 -5L4.5 0L0 5L-4.5 0Z",
    ],
    ["#5c5f00", "#d9d35e", "5 5", CROSSED, "M0 4.5L4.5 -3.5H-4.5Z"],
    ["#4a4a4a", "#c8c8c8", "14 3", "M2 2h2M6 6h2", PLUS],
    ["#00707c", "#5fd3e0", "1 7", DOWN, "M-4 -4L4 4M-4 4L4 -4"],
    ["#7d3fa0", "#cfa2f0", "7 3 1 3 1 3", "M4 0V8M0 4H8", "M-5 0H5M0 -5V5"],
];

const PLUS: &str =
    "M-4.5 -1.5H-1.5V-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5Z";

/// The classes of every drawing. `cN` is a series: it sets the colour and
/// dashes of its `line`, its `mark` and its pattern.
const STYLE: &str = include_str!("svg.css");

/// A drawing that is being built.
#[derive(Debug)]
pub struct Svg {
    name: String,
    text: String,
}

/// A position or a size: in units of the drawing, or in percent.
#[derive(Debug)]
pub struct Length(String);

impl From<f64> for Length {
    /// With at most one decimal, so that the same data give the same text.
    fn from(value: f64) -> Self {
        let tenths = (value * 10.0).round() / 10.0;
        // NaN and infinity become 0, and adding 0 turns -0 into 0.
        let tenths = if tenths.is_finite() { tenths + 0.0 } else { 0.0 };
        Self(tenths.to_string())
    }
}

impl From<usize> for Length {
    fn from(value: usize) -> Self {
        Self(value.to_string())
    }
}

impl Length {
    /// Of the width of the element around it.
    pub fn percent(value: f64) -> Self {
        Self(format!("{value}%"))
    }
}

impl Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Svg {
    /// A drawing whose root has these attributes. The name is one word,
    /// different from that of any other drawing on the same page.
    pub fn new(
        name: &str,
        root: impl Display,
        title: &str,
        description: &str,
    ) -> Self {
        let mut svg = Self::part(name);
        let name = svg.name.clone();
        svg.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" {root} role=\"img\" \
             aria-labelledby=\"{name}-t {name}-d\">"
        ));
        let (title, description) = (escaped(title), escaped(description));
        svg.add(format_args!("<title id=\"{name}-t\">{title}</title>"));
        svg.add(format_args!("<desc id=\"{name}-d\">{description}</desc>"));
        svg
    }

    /// A part of the drawing of this name; it can use its definitions.
    pub fn part(name: &str) -> Self {
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        Self { name, text: String::new() }
    }

    /// Adds the styles: the common ones for the root's class, then `more`,
    /// whose colours have a value for light paper and one for dark.
    pub fn style(&mut self, class: &str, colours: &[[&str; 3]], more: &str) {
        let theme = |column: usize| {
            let paper = ["#1c1c1c", "#dcdcdc"][column];
            let faint = ["#c4c4c4", "#5a5f66"][column];
            let mut text = format!("--ink:{paper};--faint:{faint}");
            for (index, series) in SERIES.iter().enumerate() {
                text += &format!(";--c{index}:{}", series[column]);
            }
            for colour in colours {
                text += &format!(";--{}:{}", colour[0], colour[1 + column]);
            }
            text
        };
        let (light, dark) = (theme(0), theme(1));
        let mut css = format!(
            ".zen{{--paper:#fff;{light};color:var(--ink)}}\n\
             @media (prefers-color-scheme:dark){{\
             .zen{{--paper:#16181c;{dark}}}}}\n\
             .light .zen,.rust .zen{{--paper:var(--bg);{light}}}\n\
             .coal .zen,.navy .zen,.ayu .zen{{--paper:var(--bg);{dark}}}\n\
             {STYLE}"
        );
        for (index, series) in SERIES.iter().enumerate() {
            let dash = series[2];
            css += &format!(
                ".zen .c{index}{{--own:var(--c{index});--dash:{dash}}}\n"
            );
        }
        let css = (css + more).replace(".zen", &format!(".{class}"));
        self.add(format_args!("<style>\n{css}</style>"));
    }

    /// Adds a line of SVG as it is.
    pub fn add(&mut self, markup: impl Display) {
        self.text += &format!("{markup}\n");
    }

    /// Adds text; its class also sets where it is anchored.
    pub fn text(
        &mut self,
        class: &str,
        (x, y): (impl Into<Length>, impl Into<Length>),
        text: &str,
    ) {
        let (x, y, text) = (x.into(), y.into(), escaped(text));
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        ));
    }

    pub fn line(
        &mut self,
        class: &str,
        (x1, y1): (impl Into<Length>, impl Into<Length>),
        (x2, y2): (impl Into<Length>, impl Into<Length>),
    ) {
        let [x1, y1, x2, y2] = [x1.into(), y1.into(), x2.into(), y2.into()];
        self.add(format_args!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" \
             y2=\"{y2}\"/>"
        ));
    }

    /// Adds a line through these points.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let point = |(x, y): &(f64, f64)| {
            [*x, *y].map(|it| Length::from(it).0).join(",")
        };
        let points: Vec<_> = points.iter().map(point).collect();
        let points = points.join(" ");
        self.add(format_args!(
            "<polyline class=\"{class}\" points=\"{points}\"/>"
        ));
    }

    /// Adds a rectangle with these attributes, a corner and a size.
    pub fn rect(
        &mut self,
        attributes: impl Display,
        (x, y): (impl Into<Length>, impl Into<Length>),
        (width, height): (impl Into<Length>, impl Into<Length>),
    ) {
        let (x, y) = (x.into(), y.into());
        let (width, height) = (width.into(), height.into());
        self.add(format_args!(
            "<rect {attributes} x=\"{x}\" y=\"{y}\" width=\"{width}\" \
             height=\"{height}\"/>"
        ));
    }

    /// Defines a pattern: a tile of 8 by 8 with these lines, in the colour of
    /// its class.
    pub fn pattern(&mut self, class: &str, lines: &str) {
        let id = self.id(class);
        self.add(format_args!(
            "<pattern id=\"{id}\" class=\"{class}\" width=\"8\" \
             height=\"8\" patternUnits=\"userSpaceOnUse\"><rect width=\"8\" \
             height=\"8\"/><path d=\"{lines}\"/></pattern>"
        ));
    }

    /// Defines the hatches of this many series.
    pub fn hatches(&mut self, series: usize) {
        for (index, it) in SERIES.iter().enumerate().take(series) {
            self.pattern(&format!("c{index}"), it[3]);
        }
    }

    /// The ID of a definition of this drawing.
    pub fn id(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// How to fill a shape: with the pattern of this class.
    pub fn fill(&self, class: &str) -> String {
        format!("fill=\"url(#{})\"", self.id(class))
    }

    pub fn finish(mut self) -> String {
        self.add("</svg>");
        self.text
    }
}

/// The class of a series.
pub fn class(series: usize) -> String {
    format!("c{}", series % STYLES)
}

/// The shape of a series' mark, around the origin.
pub fn mark(series: usize) -> &'static str {
    SERIES[series % STYLES][4]
}

/// Text that is safe between tags and in quotation marks.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // XML allows no other control characters; no line is blank.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_is_xml_without_blank_lines() {
        let mut svg = Svg::new("a b", "width=\"4\"", "1 < 2", "\"&\"\n\n\u{7}");
        svg.style("x", &[["work", "#000", "#fff"]], ".zen .y{fill:none}\n");
        svg.hatches(STYLES);
        svg.polyline("c1", &[(0.04, f64::NAN), (-0.01, f64::INFINITY)]);
        svg.text("end", (Length::percent(1.25), 2_usize), "</text><script>");
        svg.rect(svg.fill("c3"), (0.0, 0.0), (1.26, 7_usize));
        let text = svg.finish();
        let document = roxmltree::Document::parse(&text).expect("XML");
        let find = |name: &str| {
            let mut all = document.descendants();
            all.find(|it| it.tag_name().name() == name).expect("it is drawn")
        };
        assert_eq!(find("text").text(), Some("</text><script>"));
        assert_eq!(find("title").text(), Some("1 < 2"));
        let ids = document.descendants().filter_map(|it| it.attribute("id"));
        let ids: Vec<_> = ids.collect();
        let labels = find("svg").attribute("aria-labelledby").unwrap();
        assert!(labels.split(' ').all(|label| ids.contains(&label)));
        assert!(ids.contains(&"a-b-c3") && text.contains("url(#a-b-c3)"));
        assert!(text.lines().all(|line| !line.trim().is_empty()));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.contains("points=\"0,0 0,0\""), "{text}");
        assert!(text.contains("x=\"1.25%\"") && text.contains("width=\"1.3\""));
        assert!(text.contains(".x .y{") && !text.contains(".zen"));
    }
}
