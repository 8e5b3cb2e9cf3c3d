//! Drawings and texts are templates in Jinja's language, filled in from data.
//! zen-timeline draws with this module too.
//!
//! In a drawing, a number has at most one decimal, so that the same data give
//! the same text, and text is escaped. No line is blank, so that Markdown can
//! include a drawing.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, Output, State};
use minijinja::{UndefinedBehavior, Value, escape_formatter};
use zen_harness::waiting::{CROSSED, DOWN, UP};

use crate::words;

/// What the drawings have in common.
const LOOK: [(&str, &str); 2] = [
    ("look.svg", include_str!("../templates/look.svg")),
    ("look.css", include_str!("../templates/look.css")),
];

/// Fills in the first of these templates; it may use the others, and what all
/// drawings have in common.
///
/// # Panics
///
/// A template is part of the program, so a mistake in it is one of ours.
pub fn fill(templates: &[(&str, &str)], context: Value) -> String {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    env.set_syntax(syntax.expect("a syntax"));
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_auto_escape_callback(|name| match name.rsplit('.').next() {
        Some("svg" | "html") => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    env.set_formatter(write);
    for (name, hatch) in [("up", UP), ("down", DOWN), ("crossed", CROSSED)] {
        env.add_global(name, hatch);
    }
    env.add_filter("count", words::count);
    env.add_filter("fixed", words::fixed);
    env.add_filter("json", |text: &str| {
        serde_json::Value::from(text).to_string()
    });
    env.add_filter("listed", |items: &str| words::list(items.split(';')));
    env.add_filter("seconds", words::seconds);
    env.add_filter("shown", words::shown);
    for (name, text) in LOOK.iter().chain(templates) {
        if let Err(err) = env.add_template(name, text) {
            panic!("{name}: {err:#}");
        }
    }
    let name = templates[0].0;
    let filled = env.get_template(name).and_then(|it| it.render(context));
    filled.unwrap_or_else(|err| panic!("{name}: {err:#}"))
}

fn write(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let is_drawn = *state.auto_escape() == AutoEscape::Html;
    let number = f64::try_from(value.clone());
    match (is_drawn, number) {
        (true, Ok(number)) => write!(out, "{}", length(number))?,
        (false, Ok(number)) => write!(out, "{number}")?,
        (true, Err(_)) if !value.is_safe() => {
            out.write_str(&escaped(&value.to_string()))?;
        }
        _ => escape_formatter(out, state, value)?,
    }
    Ok(())
}

/// A position or a size with at most one decimal.
fn length(value: f64) -> f64 {
    let tenths = (value * 10.0).round() / 10.0;
    // NaN and infinity become 0, and adding 0 turns -0 into 0.
    if tenths.is_finite() { tenths + 0.0 } else { 0.0 }
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
    use minijinja::context;

    use super::*;

    const TEMPLATE: &str = "\
{% from \"look.svg\" import class, head, hatches, style -%}
<svg id=\"{{ name }}\" x=\"{{ x }}\" y=\"{{ y }}\" z=\"{{ z }}\">
{{ head(name, title, description) -}}
{{ style(\"x\", [[\"work\", \"#000\", \"#fff\"]], \"more.css\") -}}
{{ hatches(name, 8) -}}
<g class=\"{{ class(9) }}\"/>
</svg>
";

    #[test]
    fn a_drawing_is_xml_without_blank_lines() {
        let templates = [("a.svg", TEMPLATE), ("more.css", ".zen .y{}\n")];
        let context = context! {
            name => "a-b", title => "1 < 2</title>", description => "\"&\"\n\n\u{7}",
            x => f64::NAN, y => -0.01, z => 1.26,
        };
        let text = fill(&templates, context);
        let document = roxmltree::Document::parse(&text).expect("XML");
        let find = |name: &str| {
            let mut all = document.descendants();
            all.find(|it| it.tag_name().name() == name).expect("it is drawn")
        };
        assert_eq!(find("title").text(), Some("1 < 2</title>"));
        assert_eq!(find("g").attribute("class"), Some("c1"));
        let ids = document.descendants().filter_map(|it| it.attribute("id"));
        let ids: Vec<_> = ids.collect();
        assert!(ids.contains(&"a-b-c7") && ids.contains(&"a-b-d"), "{ids:?}");
        assert!(text.lines().all(|line| !line.trim().is_empty()));
        assert!(text.contains("x=\"0\" y=\"0\" z=\"1.3\""), "{text}");
        assert!(text.contains(".x .y{") && !text.contains(".zen"));
        assert!(text.contains(";--c7:#cfa2f0;--work:#fff}"), "{text}");
    }
}
