//! How a load goes, while it goes.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use zen_bench::load::Outcome;

/// How it goes: a line that changes on a terminal, a line a second elsewhere.
pub(super) struct Display {
    name: String,
    bar: Option<ProgressBar>,
    begun: Instant,
    told: Instant,
    answers: u64,
}

impl Display {
    pub(super) fn new(name: &str, time: Duration) -> Self {
        let length = time.as_millis().try_into().unwrap_or(u64::MAX);
        let on_terminal = std::io::stderr().is_terminal();
        let bar = on_terminal.then(|| {
            let bar = ProgressBar::new(length);
            let style = "{bar:20} {msg}";
            if let Ok(style) = indicatif::ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar
        });
        let now = Instant::now();
        Self { name: name.into(), bar, begun: now, told: now, answers: 0 }
    }

    pub(super) fn tell(&mut self, so_far: &Outcome) {
        let now = Instant::now();
        let since = now - self.told;
        if self.bar.is_none() && since < Duration::from_secs(1) {
            return;
        }
        let rate = (so_far.answers - self.answers) as f64 / since.as_secs_f64();
        let late = so_far.quantile(0.99) * 1e6;
        let text = format!(
            "{}: {rate:.0} answers a second; latency 50 % {:.0} µs, 99 % \
             {late:.0} µs",
            self.name,
            so_far.quantile(0.5) * 1e6
        );
        (self.told, self.answers) = (now, so_far.answers);
        match &self.bar {
            Some(bar) => {
                let time = (now - self.begun).as_millis();
                bar.set_position(time.try_into().unwrap_or(u64::MAX));
                bar.set_message(text);
            }
            None => eprintln!("{text}"),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
