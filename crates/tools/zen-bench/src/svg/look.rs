//! Colours, dashes and hatches, in light and dark.

use std::fmt::Write;

use super::{STYLES, Svg};

/// Dashes, in the order of the series: none, long, dots, and so on.
const DASHES: [&str; STYLES] =
    ["none", "9 4", "2 4", "12 4 2 4", "5 5", "1 7", "14 3", "7 3 1 3 1 3"];

/// Lines across a pattern, by their angle, and how far apart they are.
const HATCHES: [(u32, u32); STYLES] =
    [(0, 0), (45, 6), (135, 6), (0, 6), (90, 6), (45, 12), (135, 12), (90, 3)];

/// Both sets are told apart by people who see few colours, and stand out
/// against their paper.
const LIGHT: [&str; STYLES] = [
    "#0b5fa5", "#b3470e", "#1d7a46", "#7d3fa0", "#9c2340", "#5c5f00",
    "#00707c", "#4a4a4a",
];
const DARK: [&str; STYLES] = [
    "#6cb6ff", "#ffa264", "#6fd69a", "#cfa2f0", "#ff8fa5", "#d9d35e",
    "#5fd3e0", "#c8c8c8",
];

impl Svg {
    /// The classes: `cN` draws in the colour of a series, `sN` is a line in
    /// its colour and dashes.
    pub(super) fn style(&mut self) {
        let colours = |ink: &str, faint: &str, series: &[&str; STYLES]| {
            let mut text = format!("--ink:{ink};--faint:{faint}");
            for (index, colour) in series.iter().enumerate() {
                text += &format!(";--c{index}:{colour}");
            }
            text
        };
        let light = colours("#1c1c1c", "#c4c4c4", &LIGHT);
        let dark = colours("#dcdcdc", "#5a5f66", &DARK);
        let mut css = format!(
            ".zen-figure{{max-width:100%;height:auto;overflow:visible;\
             --paper:#fff;{light};color:var(--ink);\
             font:14px system-ui,sans-serif}}\n\
             @media (prefers-color-scheme:dark){{\
             .zen-figure{{--paper:#16181c;{dark}}}}}\n\
             .light .zen-figure,.rust .zen-figure{{--paper:none;{light}}}\n\
             .coal .zen-figure,.navy .zen-figure,.ayu .zen-figure\
             {{--paper:none;{dark}}}\n\
             .zen-figure .paper{{fill:var(--paper)}}\n\
             .zen-figure text{{fill:var(--ink)}}\n\
             .zen-figure .middle{{text-anchor:middle}}\n\
             .zen-figure .end{{text-anchor:end}}\n\
             .zen-figure .small{{font-size:12px}}\n\
             .zen-figure .bold{{font-weight:bold}}\n\
             @media (max-width:600px){{.zen-figure text{{font-size:17px}}\
             .zen-figure .small{{font-size:15px}}}}\n\
             .zen-figure .axis{{stroke:var(--ink);fill:none}}\n\
             .zen-figure .grid\
             {{stroke:var(--faint);stroke-width:.6;fill:none}}\n\
             .zen-figure .mark{{stroke-width:2;fill-opacity:.55}}\n"
        );
        for (index, dashes) in DASHES.iter().enumerate() {
            // To a String there is always room.
            _ = writeln!(
                css,
                ".zen-figure .c{index}{{stroke:var(--c{index});\
                 fill:var(--c{index})}}\n\
                 .zen-figure .s{index}{{stroke:var(--c{index});fill:none;\
                 stroke-width:2;stroke-dasharray:{dashes}}}"
            );
        }
        // CSS has neither `<` nor `&` here, and needs its `>` as it is.
        self.text += "<style>\n";
        self.text += &css;
        self.text += "</style>\n";
    }

    pub(super) fn hatches(&mut self) {
        self.open("defs", &[]);
        for (index, (angle, distance)) in HATCHES.into_iter().enumerate() {
            let id = format!("{}-h{index}", self.name);
            let colour = format!("var(--c{index})");
            let turn = format!("rotate({angle})");
            let size = if distance == 0 { 8 } else { distance };
            self.open(
                "pattern",
                &[
                    ("id", &id),
                    ("width", &size),
                    ("height", &size),
                    ("patternUnits", &"userSpaceOnUse"),
                    ("patternTransform", &turn),
                ],
            );
            let fill = |opacity: &'static str, height: u32| {
                (opacity, height, colour.clone())
            };
            let plain = fill(if distance == 0 { ".8" } else { ".25" }, size);
            let stripe = (distance > 0).then(|| fill("1", 2));
            for (opacity, height, colour) in
                [Some(plain), stripe].iter().flatten()
            {
                self.element(
                    "rect",
                    &[
                        ("width", &size),
                        ("height", height),
                        ("style", &format_args!("fill:{colour}")),
                        ("fill-opacity", opacity),
                    ],
                );
            }
            self.close();
        }
        self.close();
    }
}
