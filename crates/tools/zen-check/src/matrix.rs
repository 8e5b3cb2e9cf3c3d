//! The matrix: all servers of the workspace, and others beside them, group by
//! group.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use zen_check::report::{Outcome, Profile, Report};
use zen_check::{Architecture, Plan, Program, quoted};

/// A server of the matrix.
struct Row {
    /// How it is called in the matrix.
    name: String,
    program: Program,
    /// It belongs to the workspace, and must pass.
    ours: bool,
    /// Where it says this instead of starting, it cannot run here.
    cannot_run_where: Option<String>,
}

/// Whether a server said by these words that it cannot run on this machine.
fn cannot_run(report: &Report, words: &str) -> bool {
    let log = report.results.first().and_then(|first| match &first.outcome {
        Outcome::Failed(failure) => Some(&failure.log),
        _ => None,
    });
    log.is_some_and(|log| log.iter().any(|line| line.contains(words)))
}

/// Which servers, and how much is asked of them.
#[derive(Debug, clap::Args)]
pub(crate) struct MatrixOptions {
    /// Only these servers of the workspace; without any, all.
    #[arg(value_name = "SERVER")]
    only: Vec<String>,

    /// Only bytes and endings.
    #[arg(long)]
    fast: bool,

    /// A further server, by a shell command with {port} in it. May be given
    /// several times. It is examined with the profile `server`, or `wire` with
    /// --fast, and does not count for the exit status.
    #[arg(long, value_name = "NAME=COMMAND")]
    also: Vec<String>,

    /// Draw all cuts and orders from this number, to repeat a run.
    #[arg(long)]
    seed: Option<u64>,

    /// Write the matrix as Markdown as well.
    #[arg(long, value_name = "FILE")]
    markdown: Option<String>,

    /// Write the matrix as JSON as well.
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
}

/// Examines one server after another: the cases of each run side by side, and
/// two servers at a time would only disturb each other.
pub(crate) fn run(options: &MatrixOptions) -> Result<u8, String> {
    let mut rows = servers_of_the_workspace(&options.only)?;
    rows.extend(
        options
            .also
            .iter()
            .map(|also| further(also))
            .collect::<Result<Vec<_>, _>>()?,
    );
    let plan = Plan {
        only: Vec::new(),
        jobs: zen_check::CASES_AT_ONCE,
        time_max: std::time::Duration::from_secs(600),
        observe: !options.fast,
    };
    let seed = options.seed.unwrap_or_else(zen_check::seed_of_now);
    let mut examined = Vec::new();
    for row in rows {
        let program = match options.fast {
            true => row.program.with_profile(Profile::Wire),
            false => row.program,
        };
        let report = crate::examine(program.with_seed(seed), &row.name, &plan);
        if row.cannot_run_where.is_some_and(|words| cannot_run(&report, &words))
        {
            crate::print(&format!(
                "{}: left out, it cannot run here\n",
                row.name
            ))?;
            continue;
        }
        examined.push((row.name, row.ours, report));
    }
    let reports: Vec<_> =
        examined.iter().map(|(name, _, report)| (&**name, report)).collect();
    crate::print(&table(&reports, false))?;
    crate::print(&failures(&reports))?;
    if let Some(file) = &options.markdown {
        write(file, &table(&reports, true))?;
    }
    if let Some(file) = &options.json {
        write(file, &format!("{:#}\n", as_json(&reports)))?;
    }
    let ours = examined.iter().filter(|(_, ours, _)| *ours);
    let statuses: Vec<_> =
        ours.map(|(_, _, report)| report.exit_status()).collect();
    // 1 says more than 2: something is known to be wrong.
    let worst = [1, 2].into_iter().find(|status| statuses.contains(status));
    Ok(worst.unwrap_or(0))
}

fn write(file: &str, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|err| format!("{file}: {err}"))
}

/// A command beside those of the workspace.
fn further(also: &str) -> Result<Row, String> {
    let Some((name, command)) = also.split_once('=') else {
        return Err(format!("--also wants NAME=COMMAND, not {also:?}"));
    };
    let words = ["sh", "-c", &format!("exec {command}")].map(str::to_owned);
    let program = Program::command(words.into(), Profile::Server, None);
    Ok(Row { name: name.into(), program, ours: false, cannot_run_where: None })
}

/// The packages whose manifest says of which architecture they are, built.
fn servers_of_the_workspace(only: &[String]) -> Result<Vec<Row>, String> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|err| err.to_string())?;
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let (mut rows, mut build) = (Vec::new(), vec!["build", "--quiet"]);
    for package in packages {
        let (name, about) =
            (&package["name"], &package["metadata"]["zen-check"]);
        let (Some(name), Some(architecture)) =
            (name.as_str(), about["architecture"].as_str())
        else {
            continue;
        };
        if !only.is_empty() && !only.iter().any(|word| word == name) {
            continue;
        }
        build.extend(["--package", name]);
        let path = Path::new(target).join("debug").join(name);
        let path = path.to_string_lossy().into_owned();
        let architecture: Architecture = architecture
            .parse()
            .map_err(|err| format!("{name}: {architecture:?}: {err}"))?;
        let variants = about["variants"].as_array().cloned();
        for variant in variants.unwrap_or_else(|| vec![json!([])]) {
            let words = variant.as_array().into_iter().flatten();
            let options = words.filter_map(Value::as_str).map(str::to_owned);
            let options: Vec<_> = options.collect();
            let name = [&[name.to_string()], &options[..]].concat().join(" ");
            let words = [&[path.clone()][..], &options].concat();
            let program = Program::of_the_workspace(words, architecture);
            let words = about["cannot-run-where"].as_str().map(str::to_owned);
            rows.push(Row {
                name,
                program,
                ours: true,
                cannot_run_where: words,
            });
        }
    }
    for word in only {
        let known =
            rows.iter().any(|row| row.name.split(' ').next() == Some(word));
        if !known {
            return Err(format!("no server of the workspace is called {word}"));
        }
    }
    if build.len() > 2 {
        cargo(&build)?;
    }
    Ok(rows)
}

fn cargo(words: &[&str]) -> Result<String, String> {
    let output = Command::new("cargo")
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| format!("cannot run cargo: {err}"))?;
    if !output.status.success() {
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        return Err(format!("cargo {}: {}", words.join(" "), output.status));
    }
    String::from_utf8(output.stdout).map_err(|err| err.to_string())
}

/// The groups that were put to anybody, in the order of the page.
fn groups(reports: &[(&str, &Report)]) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for (_, report) in reports {
        for result in &report.results {
            if !groups.contains(&result.group()) {
                groups.push(result.group());
            }
        }
    }
    groups
}

/// How many cases of a group a server passes, of those that were put to it.
fn cell(report: &Report, group: &str) -> String {
    let of_group = report.results.iter().filter(|it| it.group() == group);
    let outcomes: Vec<_> = of_group.map(|it| &it.outcome).collect();
    let count = |like: fn(&Outcome) -> bool| {
        outcomes.iter().filter(|outcome| like(outcome)).count()
    };
    let passed = count(|it| matches!(it, Outcome::Passed));
    let skipped = count(|it| matches!(it, Outcome::Skipped(_)));
    match outcomes.len() - skipped {
        0 => "-".into(),
        put => format!("{passed}/{put}"),
    }
}

/// One line for each server, one column for each group.
fn table(reports: &[(&str, &Report)], markdown: bool) -> String {
    let groups = groups(reports);
    let mut lines = vec![vec!["server".to_string(), "architecture".into()]];
    lines[0].extend(groups.iter().map(|&group| group.into()));
    for (name, report) in reports {
        let architecture = report.architecture.as_deref().unwrap_or("-");
        let name = if markdown { format!("`{name}`") } else { (*name).into() };
        let mut line = vec![name, architecture.to_string()];
        line.extend(groups.iter().map(|group| cell(report, group)));
        lines.push(line);
    }
    let widths: Vec<_> = (0..lines[0].len())
        .map(|at| lines.iter().map(|line| line[at].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (row, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths);
        let cells: Vec<_> =
            cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
        if markdown {
            writeln!(text, "| {} |", cells.join(" | ")).ok();
        } else {
            writeln!(text, "{}", cells.join("  ").trim_end()).ok();
        }
        if markdown && row == 0 {
            writeln!(text, "|{}", "---|".repeat(line.len())).ok();
        }
    }
    text
}

/// A line for each case that did not pass, below the table.
fn failures(reports: &[(&str, &Report)]) -> String {
    let mut text = String::new();
    for (name, report) in reports {
        for result in &report.results {
            let why = match &result.outcome {
                Outcome::Failed(failure) => failure.what.escape_debug(),
                Outcome::Error(message) => message.escape_debug(),
                Outcome::Passed | Outcome::Skipped(_) => continue,
            };
            writeln!(text, "\n{name}: {}\n  {why}", result.title()).ok();
        }
    }
    text
}

fn as_json(reports: &[(&str, &Report)]) -> Value {
    let groups = groups(reports);
    let servers = reports.iter().map(|(name, report)| {
        let cells = groups
            .iter()
            .map(|group| (group.to_string(), Value::from(cell(report, group))));
        let seen = report.observed.as_ref();
        json!({
            "name": name,
            "profile": report.profile.name(),
            "architecture": report.architecture,
            "groups": cells.collect::<serde_json::Map<_, _>>(),
            "points": report.totals().points,
            "points_max": report.totals().points_max,
            "seconds": report.time.as_secs_f64(),
            "seen": seen.map(|seen| &seen.verdict),
        })
    });
    json!({
        "schema": "zen-check/matrix/v1",
        "servers": servers.collect::<Vec<_>>(),
    })
}
