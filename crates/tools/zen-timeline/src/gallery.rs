//! The same scenario against every listing: the chapter on one page. The
//! recorded runs are data of the book, and its pictures are drawn from them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, ensure};
use zen_harness::workspace::{self, Servers};

use crate::html;
use crate::lane::Detail;
use crate::picture::Picture;
use crate::record::record;
use crate::run::{Client, Run};
use crate::scenario::{DEFAULT, Scenario};
use crate::svg;
use crate::text::milliseconds;

#[derive(Clone, Debug)]
pub struct Exhibit {
    /// Its heading, and the name of its files.
    pub name: String,
    server: String,
    options: &'static [&'static str],
}

/// A picture of every listing, in reading order, and another one for each
/// variant that is worth showing.
pub fn exhibits() -> Result<Vec<Exhibit>> {
    let listings = workspace::listings(&zen_harness::folder!());
    let mut exhibits = Vec::new();
    for listing in listings.map_err(Error::msg)? {
        let server = listing.name;
        let mut add = |more: &str, options| {
            let (name, server) = (format!("{server}{more}"), server.clone());
            exhibits.push(Exhibit { name, server, options });
        };
        match &*server {
            "zen-threaded" => {
                add("", &["--workers", "4"][..]);
                add("-two", &["--workers", "2"]);
                add("-queue", &["--workers", "2", "--dispatch", "queue"]);
            }
            // By default it has as many loops as there are cores.
            "zen-hybrid" => add("", &["--loops", "2"]),
            _ => add("", &[]),
        }
    }
    Ok(exhibits)
}

/// The book's folder for data, and its folder for figures.
fn folders(book: &Path) -> [PathBuf; 2] {
    [book.join("data/timeline"), book.join("src/figures/timeline")]
}

/// Records all of them, or those with these names, and draws them. The calmest
/// of several tries is kept.
pub fn renew(book: &Path, names: &[String], tries: u16) -> Result<()> {
    let mut exhibits = exhibits()?;
    for name in names {
        let known = exhibits.iter().any(|it| it.name == *name);
        ensure!(known, "no picture is called {name}");
    }
    exhibits.retain(|it| names.is_empty() || names.contains(&it.name));
    let servers =
        Servers::build(&zen_harness::folder!(), "release", None, |it| {
            exhibits.iter().any(|exhibit| exhibit.server == it.name)
        });
    let servers = servers.map_err(Error::msg)?;
    let scenario = Scenario::parse(DEFAULT)?;
    for folder in folders(book) {
        fs::create_dir_all(&folder)
            .with_context(|| folder.display().to_string())?;
    }
    for Exhibit { name, server, options } in &exhibits {
        let Some(listing) = servers.find(server) else { continue };
        let words = servers.command(listing, options)?;
        let mut runs = Vec::new();
        for _ in 0..tries.max(1) {
            let run = record(name, &words, &scenario);
            runs.push(run.with_context(|| name.clone())?);
        }
        runs.sort_by_key(Run::unrest);
        let run = &runs[0];
        write(&data(book, name), &(serde_json::to_string(run)? + "\n"))?;
        draw(book, run)?;
        println!("{name}");
    }
    write_table(book)
}

pub fn redraw(book: &Path) -> Result<()> {
    for Exhibit { name, .. } in exhibits()? {
        draw(book, &recorded(book, &name)?)?;
    }
    write_table(book)
}

fn draw(book: &Path, run: &Run) -> Result<()> {
    let mut drawn = drawn(book, run).into_iter();
    drawn.try_for_each(|(path, text)| write(&path, &text))
}

fn write_table(book: &Path) -> Result<()> {
    let [data, _] = folders(book);
    write(&data.join("table.md"), &table(book)?)
}

fn data(book: &Path, name: &str) -> PathBuf {
    folders(book)[0].join(format!("{name}.json"))
}

pub fn recorded(book: &Path, name: &str) -> Result<Run> {
    Run::read(&data(book, name))
}

/// The figures of a run: their paths and contents.
pub fn drawn(book: &Path, run: &Run) -> Vec<(PathBuf, String)> {
    let [_, figures] = folders(book);
    let name = &run.name;
    let picture = Picture::new(run, Detail::FIGURE);
    let figure = svg::draw(&picture, run, name);
    let mut drawn = vec![(figures.join(format!("{name}.svg")), figure)];
    // A variant of another listing has no page of its own.
    if !name.starts_with("zen-threaded-") {
        // Other identifiers than those of the figure on the same page.
        let steps = format!("{name}-steps");
        let fragment = html::fragment(run, &steps, Detail::FIGURE);
        drawn.push((figures.join(format!("{name}.html")), fragment));
    }
    drawn
}

/// The figures behind the pictures: how long `hurry` waited for its first
/// answer, and how much strace slowed the run.
pub fn table(book: &Path) -> Result<String> {
    let mut table =
        "| picture | command | lanes | `hurry` has its first answer \
                     after | an answer under strace | and without |\n\
                     |---|---|---|---|---|---|\n"
            .to_string();
    for Exhibit { name, .. } in exhibits()? {
        let run = recorded(book, &name)?;
        let hurry = run.clients.iter().find(|it| it.name == "hurry");
        let waits = hurry.map(Client::waits).unwrap_or_default();
        let first = waits.first().context("`hurry` has no answer")?;
        let slowdown = run.slowdown.as_ref().context("not measured")?;
        let lanes = Picture::new(&run, Detail::FIGURE).lanes.len();
        table += &format!(
            "| [{name}](#{name}) | `{}` | {} | {} | {} | {} |\n",
            run.command,
            lanes - run.clients.len(),
            milliseconds(*first),
            milliseconds(slowdown.traced),
            milliseconds(slowdown.untraced),
        );
    }
    Ok(table)
}

pub fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
