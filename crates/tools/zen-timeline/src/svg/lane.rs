//! A lane: what it did, for whom, and the bytes that came and went.

use zen_bench::svg::escaped;

use super::{ARRIVES, BAR, BAR_HEIGHT, LABEL, LEAVES, STRIP, STYLES, Svg};
use crate::picture::{Lane, Mark, Span, State};
use crate::text::milliseconds;

impl Svg<'_> {
    pub(super) fn lane(&mut self, index: usize, y: usize) {
        let lane = &self.picture.lanes[index];
        let is_client = index < self.picture.clients;
        self.add(format_args!("<g class=\"lane\" data-lane=\"{index}\">"));
        self.add("<g class=\"label\">");
        if is_client {
            self.symbol((index as u16, true), "6", y + LABEL - 4, "");
        }
        let x = if is_client { "14" } else { "0" };
        self.label("name", x, y + LABEL, &lane.label);
        self.add("</g>");
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
            self.add(format_args!(
                "<line class=\"death\" x1=\"{x}%\" x2=\"{x}%\" y1=\"{}\" \
                 y2=\"{}\"/>",
                y + BAR - 4,
                y + BAR + BAR_HEIGHT + 4
            ));
        }
        self.add("</g>");
    }

    fn span(&mut self, index: usize, lane: &Lane, span: &Span, y: usize) {
        let is_client = index < self.picture.clients;
        let from = self.picture.percent(span.time.0);
        let width = self.picture.percent(span.time.1) - from;
        let width = (width * 1000.0).round() / 1000.0;
        let (name, word) = (&self.name, span.state.word());
        let fill = match span.state {
            State::Asked if is_client => format!("c{}", index % STYLES),
            _ => word.to_string(),
        };
        let fill = format!("url(#{name}-{fill})");
        let says = self.says(|| self.span_says(lane, span));
        self.add(format_args!(
            "<rect class=\"{word}\" fill=\"{fill}\" x=\"{from}%\" y=\"{y}\" \
             width=\"{width}%\" height=\"{BAR_HEIGHT}\"{says}/>"
        ));
        if width < 4.0 || span.state == State::Idle {
            return;
        }
        // Cut where its span ends; a narrow page has no room for all.
        let class = if width < 10.0 { "short" } else { "word" };
        self.add(format_args!(
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

    /// The mark of a client, full or hollow.
    fn symbol(
        &mut self,
        (client, is_full): (u16, bool),
        x: &str,
        y: usize,
        says: &str,
    ) {
        let style = client as usize % STYLES;
        let full = if is_full { "full" } else { "hollow" };
        let name = self.name.clone();
        self.add(format_args!(
            "<use href=\"#{name}-m{style}\" class=\"m{style} {full}\" \
             x=\"{x}\" y=\"{y}\"{says}/>"
        ));
    }

    /// What is said of a thing that is pointed at.
    fn says(&self, text: impl Fn() -> String) -> String {
        match self.is_figure {
            true => String::new(),
            false => format!(" data-says=\"{}\"", escaped(&text())),
        }
    }

    fn span_says(&self, lane: &Lane, span: &Span) -> String {
        let (from, to) = span.time;
        let client =
            span.client.and_then(|it| self.run.clients.get(it as usize));
        let whose = client.map(|client| format!(" ({})", client.name));
        format!(
            "{}: {}, {} to {}{}",
            lane.label,
            span.state.says(),
            milliseconds(from),
            milliseconds(to),
            whose.unwrap_or_default()
        )
    }
}
