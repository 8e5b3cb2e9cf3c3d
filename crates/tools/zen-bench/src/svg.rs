//! Drawings as SVG: scaled to the room that they are given, in the colours of
//! the page that they stand on, and to be told apart without colour. On a
//! narrow page the text is scaled less than the rest.
//!
//! A drawing follows mdBook's theme where it is part of a page, and otherwise
//! the reader's own preference for light or dark. It has no blank line, so
//! that Markdown may include it.

mod look;

use std::fmt::Display;

/// So many series can be told apart; further ones begin anew.
pub const STYLES: usize = 8;

/// A drawing that grows.
#[derive(Debug)]
pub struct Svg {
    name: String,
    text: String,
    open: Vec<&'static str>,
}

impl Svg {
    /// A sheet of this size in its own units, of which a line of text takes
    /// 14 or so. The name is one word, different from that of any other
    /// drawing on the same page.
    pub fn new(
        name: &str,
        (width, height): (f64, f64),
        title: &str,
        description: &str,
    ) -> Self {
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let open = Vec::new();
        let mut svg = Self { name, text: String::new(), open };
        let (width, height) = (number(width), number(height));
        let name = svg.name.clone();
        svg.open(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("class", &"zen-figure"),
                ("viewBox", &format_args!("0 0 {width} {height}")),
                ("width", &width),
                ("height", &height),
                ("role", &"img"),
                ("aria-labelledby", &format_args!("{name}-t {name}-d")),
            ],
        );
        svg.content("title", &[("id", &format_args!("{name}-t"))], title);
        svg.content("desc", &[("id", &format_args!("{name}-d"))], description);
        svg.style();
        svg.hatches();
        let size: [(&str, &dyn Display); 3] =
            [("class", &"paper"), ("width", &width), ("height", &height)];
        svg.element("rect", &size);
        svg
    }

    /// An element without content. Values are escaped here.
    pub fn element(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.begin(name, attributes);
        self.text += "/>\n";
    }

    /// An element around text, which is escaped here.
    pub fn content(
        &mut self,
        name: &str,
        attributes: &[(&str, &dyn Display)],
        text: &str,
    ) {
        self.begin(name, attributes);
        self.text.push('>');
        self.text += &escaped(text);
        self.text += "</";
        self.text += name;
        self.text += ">\n";
    }

    /// An element around all that comes until it is closed.
    pub fn open(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &dyn Display)],
    ) {
        self.begin(name, attributes);
        self.text += ">\n";
        self.open.push(name);
    }

    /// Ends what was opened last.
    pub fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.text += "</";
            self.text += name;
            self.text += ">\n";
        }
    }

    /// A straight line of this class.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.element(
            "line",
            &[
                ("class", &class),
                ("x1", &number(from.0)),
                ("y1", &number(from.1)),
                ("x2", &number(to.0)),
                ("y2", &number(to.1)),
            ],
        );
    }

    /// A line from point to point.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let point =
            |(x, y): &(f64, f64)| format!("{},{}", number(*x), number(*y));
        let points: Vec<_> = points.iter().map(point).collect();
        let points = points.join(" ");
        self.element("polyline", &[("class", &class), ("points", &points)]);
    }

    /// A rectangle of this class, with a corner and a size.
    pub fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        self.element(
            "rect",
            &[
                ("class", &class),
                ("x", &number(at.0)),
                ("y", &number(at.1)),
                ("width", &number(size.0)),
                ("height", &number(size.1)),
            ],
        );
    }

    /// Text whose class says where it is anchored: `start` (or nothing),
    /// `middle` or `end`.
    pub fn text(&mut self, class: &str, at: (f64, f64), text: &str) {
        let (x, y) = (number(at.0), number(at.1));
        let attributes: [(&str, &dyn Display); 3] =
            [("class", &class), ("x", &x), ("y", &y)];
        self.content("text", &attributes, text);
    }

    /// The mark of a series: a shape of its own for each.
    pub fn mark(&mut self, series: usize, (x, y): (f64, f64)) {
        let shape = match series % STYLES {
            0 => "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
            1 => "M-4 -4H4V4H-4Z",
            2 => "M0 -5L5 4H-5Z",
            3 => "M0 -5L5 0L0 5L-5 0Z",
            4 => "M0 5L5 -4H-5Z",
            5 => "M-4 -4L4 4M-4 4L4 -4",
            6 => "M-5 0H5M0 -5V5",
            _ => "M-5 0H5M0 -5V5M-4 -4L4 4M-4 4L4 -4",
        };
        let class = format!("mark c{}", series % STYLES);
        let (x, y) = (number(x), number(y));
        let place = format!("translate({x} {y})");
        self.element(
            "path",
            &[("class", &class), ("transform", &place), ("d", &shape)],
        );
    }

    /// How a rectangle of this series is filled: a hatch in its colour.
    pub fn hatch(&self, series: usize) -> String {
        format!("url(#{}-h{})", self.name, series % STYLES)
    }

    /// The whole drawing.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn begin(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        self.text.push('<');
        self.text += name;
        for (name, value) in attributes {
            self.text.push(' ');
            self.text += name;
            self.text += "=\"";
            self.text += &escaped(&value.to_string());
            self.text.push('"');
        }
    }
}

/// Text that may stand between tags and in quotation marks.
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

/// A length with at most one decimal, so that the same data give the same
/// text; what is no number is 0, and the sheet stays readable.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "0".into();
    }
    let tenths = (value * 10.0).round() / 10.0;
    // Adding 0 makes 0 of -0.
    format!("{}", tenths + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing() -> String {
        let mut svg =
            Svg::new("a b", (400.0, 200.0), "1 < 2", "\"&\"\n\n\u{7}");
        svg.open("g", &[("data-x", &"<\"&'>")]);
        svg.polyline("s1", &[(0.04, f64::NAN), (-0.01, f64::INFINITY)]);
        svg.text("end", (1.25, 2.0), "</text><script>");
        svg.mark(9, (1.0, 2.0));
        let hatch = svg.hatch(3);
        svg.element("rect", &[("fill", &hatch)]);
        svg.finish()
    }

    #[test]
    fn what_is_written_is_escaped_and_closed() {
        let text = drawing();
        let document = roxmltree::Document::parse(&text).expect("XML");
        let root = document.root_element();
        assert_eq!(root.attribute("viewBox"), Some("0 0 400 200"));
        let find = |name: &str| {
            document
                .descendants()
                .find(|it| it.tag_name().name() == name)
                .expect("it is drawn")
        };
        assert_eq!(find("g").attribute("data-x"), Some("<\"&'>"));
        assert_eq!(find("text").text(), Some("</text><script>"));
        assert_eq!(find("title").text(), Some("1 < 2"));
        // Every id that is referred to is there.
        let ids: Vec<_> = document
            .descendants()
            .filter_map(|it| it.attribute("id"))
            .collect();
        for label in root.attribute("aria-labelledby").unwrap().split(' ') {
            assert!(ids.contains(&label), "{label}");
        }
        assert!(ids.contains(&"a-b-h3") && text.contains("url(#a-b-h3)"));
    }

    #[test]
    fn no_line_is_blank_and_no_number_is_none() {
        let text = drawing();
        assert!(text.lines().all(|line| !line.trim().is_empty()));
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        assert!(text.contains("points=\"0,0 0,0\""), "{text}");
        assert_eq!(text, drawing());
    }
}
