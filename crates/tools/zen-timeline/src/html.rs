//! A page around a picture: one file that loads nothing from elsewhere. The
//! page is complete without the script. With it, a reader can zoom, and step
//! from event to event.

use minijinja::{Value, context};
use zen_bench::template;

use crate::lane::Detail;
use crate::picture::Picture;
use crate::run::Run;
use crate::steps::tell;
use crate::story::Step;
use crate::svg;
use crate::text::milliseconds;

const FRAGMENT: [(&str, &str); 2] = [
    ("fragment.html", include_str!("../templates/fragment.html")),
    ("page.css", include_str!("../templates/page.css")),
];

pub fn page(run: &Run) -> String {
    let own = ("page.html", include_str!("../templates/page.html"));
    let templates = [&[own], &FRAGMENT[..], &svg::TEMPLATES].concat();
    template::fill(&templates, context(run, &run.name, Detail::ZOOM))
}

/// The same without a page around it, to include in another page: no line is
/// blank, so that Markdown can include it. The name is one word, different from
/// any other on the same page.
pub fn fragment(run: &Run, name: &str, detail: Detail) -> String {
    let templates = [&FRAGMENT[..], &svg::TEMPLATES].concat();
    template::fill(&templates, context(run, name, detail))
}

fn context(run: &Run, name: &str, detail: Detail) -> Value {
    let picture = Picture::new(run, detail);
    let story = tell(run);
    let step = |Step { at, says, changes }: &Step| {
        let changes = changes.iter().map(|(row, it)| format!("{row}:{it}"));
        context! {
            x => picture.percent(*at).to_string(),
            changes => changes.collect::<Vec<_>>().join(" "),
            at => milliseconds(*at),
            says => says.clone(),
        }
    };
    let slowdown = run.slowdown.as_ref().map(|it| {
        context! {
            traced => milliseconds(it.traced),
            untraced => milliseconds(it.untraced),
            answers => it.answers,
            times => it.times(),
        }
    });
    context! {
        is_figure => false,
        slowdown,
        machine => run.machine.clone(),
        command => run.command.clone(),
        cell => milliseconds(picture.cell),
        steps => story.steps.iter().map(step).collect::<Value>(),
        texts => serde_json::to_string(&story.texts).unwrap_or_default(),
        rows => story.rows,
        script => include_str!("../templates/stepper.js"),
        ..svg::context(&picture, run, name)
    }
}
