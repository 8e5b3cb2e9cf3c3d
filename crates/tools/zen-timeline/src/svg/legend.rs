//! The patterns and the marks, and what they mean.

use super::Svg;
use crate::picture::{Span, State};

impl Svg<'_> {
    pub(super) fn definitions(&mut self) {
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

    pub(super) fn legend_height(&self) -> usize {
        let rows = self.legend_entries().len().div_ceil(2);
        rows * 20 - 8
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
        if lanes.iter().any(|lane| self.shows_birth(lane)) {
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

    pub(super) fn legend(&mut self, y: usize) {
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
