//! The matrix: all servers of the workspace, and others beside them, group by
//! group.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use zen_harness::listing::Listing;
use zen_harness::workspace::Servers;

use zen_check::report::{Outcome, Profile, Report};
use zen_check::{Plan, Program};

struct Row {
    name: String,
    program: Program,
    /// It belongs to the workspace, and must pass.
    ours: bool,
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

    /// Also check this server: a shell command that contains {port}. May be
    /// given several times. It is checked with the profile `server`, or `wire`
    /// with --fast, and does not change the exit status.
    #[arg(long, value_name = "NAME=COMMAND")]
    also: Vec<String>,

    /// Derive all random choices from this number, to repeat a run.
    #[arg(long)]
    seed: Option<u64>,

    /// Also write the matrix as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<String>,

    /// Also write the matrix as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<String>,
}

/// Examines one server after another: the cases of each run side by side, and
/// two servers at a time would disturb each other.
pub(crate) fn run(options: &MatrixOptions) -> Result<u8, String> {
    let mut rows = servers_of_the_workspace(&options.only)?;
    for also in &options.also {
        rows.push(further(also)?);
    }
    let plan = Plan { observe: !options.fast, ..Plan::default() };
    let seed = options.seed.unwrap_or_else(zen_check::seed_of_now);
    let mut statuses = Vec::new();
    let mut examined = Vec::new();
    for Row { name, mut program, ours } in rows {
        program.seed = seed;
        if options.fast {
            program.profile = Profile::Wire;
        }
        let report = crate::examine(program, &name, &plan);
        statuses.extend(ours.then_some(report.exit_status()));
        examined.push((name, report));
    }
    let reports: Vec<_> =
        examined.iter().map(|(name, report)| (&**name, report)).collect();
    crate::print(&table(&reports, false))?;
    crate::print(&failures(&reports))?;
    if let Some(file) = &options.markdown {
        write(file, &table(&reports, true))?;
    }
    if let Some(file) = &options.json {
        write(file, &format!("{:#}\n", as_json(&reports)))?;
    }
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
    Ok(Row { name: name.into(), program, ours: false })
}

/// The servers of the workspace, built. Of a program that is several of them
/// the first is examined.
fn servers_of_the_workspace(only: &[String]) -> Result<Vec<Row>, String> {
    let here = std::env::current_dir().map_err(|err| err.to_string())?;
    let wanted = |it: &Listing| only.is_empty() || only.contains(&it.name);
    let servers = Servers::build(&here, "dev", None, wanted)?;
    if let Some(word) = only.iter().find(|it| servers.find(it).is_none()) {
        return Err(format!("no server of the workspace is called {word}"));
    }
    let mut rows = Vec::new();
    for listing in &servers.listings {
        if servers.cannot_run(listing).is_some() {
            let name = &listing.name;
            crate::print(&format!(
                "{name}: left out, because it cannot run here\n"
            ))?;
            continue;
        }
        let mut listing = listing.clone();
        listing.architectures.truncate(1);
        let variants = Program::variants(&listing, servers.program(&listing))?;
        for (options, (_, program)) in listing.variants.iter().zip(variants) {
            let name = [&[listing.name.clone()], &options[..]].concat();
            rows.push(Row { name: name.join(" "), program, ours: true });
        }
    }
    Ok(rows)
}

/// The groups that were put to any server, in the order of the page.
fn groups(reports: &[(&str, &Report)]) -> Vec<&'static str> {
    let mut groups = Vec::new();
    for result in reports.iter().flat_map(|(_, report)| &report.results) {
        if !groups.contains(&result.group()) {
            groups.push(result.group());
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
    let [first, between, last] =
        if markdown { ["| ", " | ", " |"] } else { ["", "  ", ""] };
    let mut text = String::new();
    for (row, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths);
        let cells: Vec<_> =
            cells.map(|(cell, &width)| format!("{cell:width$}")).collect();
        let line = format!("{first}{}{last}\n", cells.join(between));
        text += line.trim_end_matches([' ', '\n']);
        text += "\n";
        if markdown && row == 0 {
            text += &format!("|{}\n", "---|".repeat(cells.len()));
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
        let cell = |it: &&str| (it.to_string(), cell(report, it).into());
        let cells: Map<_, _> = groups.iter().map(cell).collect();
        let seen = report.observed.as_ref();
        let totals = report.totals();
        json!({
            "name": name,
            "profile": report.profile.name(),
            "architecture": report.architecture,
            "groups": cells,
            "points": totals.points,
            "points_max": totals.points_max,
            "seconds": report.time.as_secs_f64(),
            "seen": seen.map(|seen| &seen.verdict),
        })
    });
    json!({
        "schema": "zen-check/matrix/v1",
        "servers": servers.collect::<Vec<_>>(),
    })
}
