//! A page around a picture: one file, nothing of which comes from elsewhere.
//! All that it tells is there without the script; with it, a reader zooms and
//! steps from event to event.

use zen_bench::svg::escaped;

use crate::lane::Detail;
use crate::picture::Picture;
use crate::run::{Run, Slowdown};
use crate::steps::tell;
use crate::story::{Step, Story};
use crate::svg::{self, shares};
use crate::text::milliseconds;

const SCRIPT: &str = include_str!("stepper.js");
const STYLE: &str = include_str!("page.css");

/// A page of its own.
pub fn page(run: &Run) -> String {
    let title = escaped(&format!("{}: {}", run.name, run.scenario));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta \
         charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\">\n<meta \
         name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" \
         href=\"data:,\">\n<title>{title}</title>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n{}</main>\n</body>\n</html>\n",
        fragment(run, &run.name, Detail::ZOOM)
    )
}

/// The same without a page around it, for one that has others as well: no
/// line is blank, so that Markdown may include it. The name is one word,
/// different from that of any other one on the same page.
pub fn fragment(run: &Run, name: &str, detail: Detail) -> String {
    let picture = Picture::new(run, detail);
    let story = tell(run);
    let (chart, legend) = svg::draw_parts(&picture, run, name);
    format!(
        "<div class=\"zen-timeline\">\n<style>\n{STYLE}</style>\n{about}\
         <div class=\"zt-tools\" role=\"group\" aria-label=\"Steps and zoom\" \
         hidden>\n{buttons}</div>\n<p class=\"zt-now\" role=\"status\" \
         hidden></p>\n<div class=\"zt-scroll\" tabindex=\"0\" role=\"group\" \
         aria-label=\"The picture. Arrow keys step, plus and minus zoom.\">\n\
         {chart}</div>\n<p class=\"zt-hover\" aria-hidden=\"true\" \
         hidden></p>\n{legend}{table}{sums}{steps}<script>\n{script}\
         </script>\n</div>\n",
        script = without_blank_lines(SCRIPT),
        about = about(run, &picture),
        buttons = buttons(),
        table = table(&story),
        sums = sums(&picture),
        steps = steps(&story, &picture),
    )
}

fn without_blank_lines(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn about(run: &Run, picture: &Picture) -> String {
    let mut text = format!("<p>{}</p>\n", slowdown(run.slowdown.as_ref()));
    text += &format!(
        "<p>Recorded on {}: <code>{}</code>. What took less than {} is part \
         of what is beside it.</p>\n",
        escaped(&run.machine),
        escaped(&run.command),
        milliseconds(picture.cell)
    );
    text
}

/// By how much tracing slowed the run.
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

fn buttons() -> String {
    let mut text = String::new();
    for (action, label, shown) in [
        ("first", "First event", "|\u{25c0}"),
        ("back", "Previous event", "\u{25c0}"),
        ("next", "Next event", "\u{25b6}"),
        ("last", "Last event", "\u{25b6}|"),
        ("in", "Zoom in", "+"),
        ("out", "Zoom out", "\u{2212}"),
        ("all", "Show all", "all"),
    ] {
        text += &format!(
            "<button type=\"button\" data-do=\"{action}\" \
             aria-label=\"{label}\" title=\"{label}\">{shown}</button>\n"
        );
    }
    text
}

/// Filled by the script, and only shown then.
fn table(story: &Story) -> String {
    let mut text =
        "<table class=\"zt-state\" hidden>\n<caption>Who is waiting \
                    for what, now?</caption>\n<tbody>\n"
            .to_string();
    for row in &story.rows {
        text += &format!(
            "<tr><th scope=\"row\">{}</th><td></td></tr>\n",
            escaped(row)
        );
    }
    text + "</tbody>\n</table>\n"
}

/// What the picture says, as text.
fn sums(picture: &Picture) -> String {
    let mut text = "<table class=\"zt-sums\">\n<caption>How the time was spent\
                    </caption>\n<tbody>\n"
        .to_string();
    for lane in &picture.lanes {
        text += &format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
            escaped(&lane.label),
            shares(lane)
        );
    }
    text + "</tbody>\n</table>\n"
}

fn steps(story: &Story, picture: &Picture) -> String {
    let texts = serde_json::to_string(&story.texts).unwrap_or_default();
    let mut text = format!(
        "<details>\n<summary>All {} events</summary>\n<ol class=\"zt-steps\" \
         data-texts=\"{}\">\n",
        story.steps.len(),
        escaped(&texts)
    );
    for Step { at, says, changes } in &story.steps {
        let changes: Vec<_> =
            changes.iter().map(|(row, it)| format!("{row}:{it}")).collect();
        text += &format!(
            "<li data-x=\"{}\" data-set=\"{}\">{}: {}</li>\n",
            picture.percent(*at),
            changes.join(" "),
            milliseconds(*at),
            escaped(says)
        );
    }
    text + "</ol>\n</details>\n"
}
