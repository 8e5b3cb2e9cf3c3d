//! What the lab keeps in the book: data, and all that is made of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::experiments::{Experiment, tables};
use crate::figure;
use crate::results::Results;

/// Where the book keeps data of the lab.
#[must_use]
pub fn data_folder(book: &Path) -> PathBuf {
    book.join("data/lab")
}

/// Where the book keeps a table for each server.
#[must_use]
pub fn tables_folder(book: &Path) -> PathBuf {
    data_folder(book).join("tables")
}

/// Where the book keeps its figures.
#[must_use]
pub fn figures_folder(book: &Path) -> PathBuf {
    book.join("src/figures/lab")
}

/// The book of this workspace.
#[must_use]
pub fn book() -> PathBuf {
    let own = zen_harness::folder!();
    // The folder of the sources is gone where only the program was copied.
    own.ancestors().nth(3).unwrap_or(&own).join("book")
}

/// All files that are made from results, and what is in them.
#[must_use]
pub fn drawn(
    experiment: &Experiment,
    results: &Results,
) -> Vec<(PathBuf, String)> {
    let book = Path::new("");
    let mut files = Vec::new();
    for chart in results.figures() {
        let name = format!("{}-{}", experiment.name, chart.name);
        let file = figures_folder(book).join(format!("{name}.svg"));
        files.push((file, figure::draw(&name, chart)));
    }
    let page = data_folder(book).join(format!("{}.md", experiment.name));
    files.push((page, experiment.page(results)));
    for (server, table) in tables(results) {
        files.push((tables_folder(book).join(format!("{server}.md")), table));
    }
    files
}

/// Writes results, and what is made from them, into a book.
///
/// # Errors
///
/// A file cannot be written.
pub fn write(
    book: &Path,
    experiment: &Experiment,
    results: &Results,
) -> Result<()> {
    let name = format!("{}.json", experiment.name);
    let data = data_folder(Path::new("")).join(name);
    let mut files = drawn(experiment, results);
    files.push((data, serde_json::to_string_pretty(results)? + "\n"));
    for (path, text) in files {
        let path = book.join(path);
        let folder = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Reads results again.
///
/// # Errors
///
/// There are none, or they are not whole.
pub fn read(book: &Path, experiment: &Experiment) -> Result<Results> {
    let path = data_folder(book).join(format!("{}.json", experiment.name));
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
