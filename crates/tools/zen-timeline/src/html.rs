//! A page around a picture: one file that loads nothing from elsewhere. The
//! page is complete without the script. With it, a reader can zoom, and step
//! from event to event.

use zen_bench::svg::escaped;

use crate::lane::Detail;
use crate::picture::Picture;
use crate::run::{Run, Slowdown};
use crate::steps::tell;
use crate::story::Step;
use crate::svg::{self, shares};
use crate::text::milliseconds;

/// A page of its own.
pub fn page(run: &Run) -> String {
    format!(
        include_str!("page.html"),
        title = escaped(&format!("{}: {}", run.name, run.scenario)),
        fragment = fragment(run, &run.name, Detail::ZOOM)
    )
}

/// The same without a page around it, to include in another page: no line is
/// blank, so that Markdown can include it. The name is one word, different from
/// any other on the same page.
pub fn fragment(run: &Run, name: &str, detail: Detail) -> String {
    let picture = Picture::new(run, detail);
    let story = tell(run);
    let (chart, legend) = svg::draw_parts(&picture, run, name);
    let texts = serde_json::to_string(&story.texts).unwrap_or_default();
    // The script fills them in.
    let rows = story.rows.iter().map(|it| row(it, ""));
    let sums = picture.lanes.iter().map(|it| row(&it.label, &shares(it)));
    let steps = story.steps.iter().map(|it| step(it, &picture));
    format!(
        include_str!("fragment.html"),
        style = include_str!("page.css"),
        slowdown = slowdown(run.slowdown.as_ref()),
        machine = escaped(&run.machine),
        command = escaped(&run.command),
        cell = milliseconds(picture.cell),
        chart = chart,
        legend = legend,
        rows = rows.collect::<String>(),
        sums = sums.collect::<String>(),
        events = story.steps.len(),
        texts = escaped(&texts),
        steps = steps.collect::<String>(),
        script = without_blank_lines(include_str!("stepper.js")),
    )
}

fn without_blank_lines(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// How much tracing slowed the run.
fn slowdown(slowdown: Option<&Slowdown>) -> String {
    let Some(it) = slowdown else {
        return "How much strace slowed it was not measured.".into();
    };
    format!(
        "Under strace an answer took {}, without it {} (medians of {} \
         answers): {:.1} times as long. Do not read speeds from this picture, \
         but what waits for what.",
        milliseconds(it.traced),
        milliseconds(it.untraced),
        it.answers,
        it.traced as f64 / it.untraced.max(1) as f64
    )
}

fn row(name: &str, says: &str) -> String {
    let name = escaped(name);
    format!("<tr><th scope=\"row\">{name}</th><td>{says}</td></tr>\n")
}

fn step(Step { at, says, changes }: &Step, picture: &Picture) -> String {
    let changes = changes.iter().map(|(row, it)| format!("{row}:{it}"));
    format!(
        "<li data-x=\"{}\" data-set=\"{}\">{}: {}</li>\n",
        picture.percent(*at),
        changes.collect::<Vec<_>>().join(" "),
        milliseconds(*at),
        escaped(says)
    )
}
