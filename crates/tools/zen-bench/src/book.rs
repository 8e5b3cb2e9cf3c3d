//! What the lab keeps in the book: its data, and the files made from them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::experiment::Experiment;
use crate::experiments::{claims, tables};
use crate::figure;
use crate::results::Results;

pub const DATA: &str = "data/lab";

/// One table for each server, in the book's folder.
pub const TABLES: &str = "data/lab/tables";

/// The lab's figures, in the book's folder.
pub const FIGURES: &str = "src/figures/lab";

pub fn here() -> PathBuf {
    let own = zen_harness::folder!();
    // Where only the program was copied, the folder of its sources is missing.
    own.ancestors().nth(3).unwrap_or(&own).join("book")
}

/// Every file that is made from results, with its content.
pub fn drawn(
    experiment: &Experiment,
    results: &Results,
) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut add = |folder: &str, name: &str, text| {
        files.push((Path::new(folder).join(name), text));
    };
    for chart in results.figures() {
        let name = format!("{}-{}", experiment.name, chart.name);
        add(FIGURES, &format!("{name}.svg"), figure::draw(&name, chart));
    }
    let page = format!("{}.md", experiment.name);
    add(DATA, &page, experiment.page(results));
    for (server, table) in tables(results) {
        add(TABLES, &format!("{server}.md"), table);
    }
    add(DATA, "claims.md", claims());
    files
}

fn data(experiment: &Experiment) -> PathBuf {
    Path::new(DATA).join(format!("{}.json", experiment.name))
}

/// Writes results, and the files made from them, into a book.
pub fn write(
    book: &Path,
    experiment: &Experiment,
    results: &Results,
) -> Result<()> {
    let mut files = drawn(experiment, results);
    let json = serde_json::to_string_pretty(results)? + "\n";
    files.push((data(experiment), json));
    for (path, text) in files {
        let path = book.join(path);
        let folder = path.parent().context("a file is in a folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, text)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

pub fn read(book: &Path, experiment: &Experiment) -> Result<Results> {
    let path = book.join(data(experiment));
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
