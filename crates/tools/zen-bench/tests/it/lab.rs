//! Every experiment can run, and the book shows what was measured.

use std::fs;
use std::process::{Command, Output};

use zen_bench::book::{FIGURES, TABLES, drawn, here, read};
use zen_bench::experiment::Experiment;
use zen_bench::experiments::EXPERIMENTS;
use zen_bench::results::Results;
use zen_harness::built::scratch;
use zen_harness::program;

fn zen_bench(arguments: &[&str]) -> Output {
    let mut command = Command::new(program!("zen-bench"));
    command.current_dir(scratch().expect("a folder"));
    command.args(arguments).output().expect("it can be started")
}

fn experiment(name: &str) -> &'static Experiment {
    EXPERIMENTS.iter().find(|it| it.name == name).expect("there is one")
}

/// Runs an experiment as small as possible, and checks all its output.
#[track_caller]
fn can_be_made(name: &str) -> Results {
    let folder = scratch().expect("a folder").join(name);
    fs::remove_dir_all(&folder).ok();
    // With a relative path, as a person would type it.
    let output =
        zen_bench(&["run", name, "--tiny", "--profile", "dev", "--book", name]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let results = read(&folder, experiment(name)).expect("data");
    for (path, text) in drawn(experiment(name), &results) {
        assert_eq!(fs::read_to_string(folder.join(path)).ok(), Some(text));
    }
    let seen = experiment(name).seen(&results);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(seen.len() > 60 && printed.contains(&seen), "{printed}");
    assert!(!seen.contains("NaN") && !seen.contains("inf"), "{seen}");
    assert!(errors.contains(&format!("{name}, run 1 of 1: ")), "{errors}");
    for series in results.charts.iter().flat_map(|it| &it.series) {
        let values = series.points.iter().flat_map(|it| &it.values);
        assert!(values.clone().count() > 0);
        assert!(values.clone().all(|value| *value >= 0.0));
    }
    results
}

macro_rules! can_be_made {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            let results = can_be_made(stringify!($name));
            let charts = results.charts.len();
            assert!(charts > 0 || cfg!(not(target_os = "linux")));
        }
    )* };
}

can_be_made! { waiting slow churn knees backlog pollers rates prices loops million }

#[cfg(target_os = "linux")]
#[test]
fn silent_clients_hold_a_thread_or_a_process_or_nothing() {
    let results = can_be_made("silent");
    let at = |chart: &str, name: &str, x: f64| {
        let chart = results.chart(chart).expect("a chart");
        chart.at(name, x).expect("a value")
    };
    for (name, threads, processes) in [
        ("zen-single", 1.0, 1.0),
        ("zen-threaded", 4.0, 1.0),
        ("zen-legacy", 5.0, 1.0),
        ("zen-fork", 5.0, 5.0),
        ("zen-poll", 1.0, 1.0),
    ] {
        assert_eq!(at("threads", name, 4.0), threads, "{name}");
        assert_eq!(at("processes", name, 4.0), processes, "{name}");
    }
    let limit = results.chart("wait").unwrap().limit.unwrap();
    assert_eq!(at("wait", "zen-single", 1.0), limit);
    assert_eq!(at("wait", "zen-threaded", 4.0), limit);
    // Other values depend on the machine; check only that they exist.
    assert!(at("descriptors", "zen-poll", 4.0) >= 8.0);
}

fn committed() -> Vec<(&'static Experiment, Results)> {
    let read = |it| (it, read(&here(), it).expect("data in the book"));
    EXPERIMENTS.iter().map(read).collect()
}

#[test]
fn figures_and_sentences_match_the_data() {
    let mut findings = Vec::new();
    let mut expected = Vec::new();
    for (experiment, results) in committed() {
        for (path, text) in drawn(experiment, &results) {
            let path = here().join(path);
            if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                findings.push(format!("{}: scripts/lab draw", path.display()));
            }
            expected.push(path);
        }
    }
    // No file is left of a figure or table that is no longer made.
    let folders = [FIGURES, TABLES].map(|it| here().join(it));
    let files = folders.map(|it| it.read_dir().expect("a folder"));
    for file in files.into_iter().flatten() {
        let path = file.expect("a file").path();
        if !expected.contains(&path) {
            findings.push(format!("{}: not drawn", path.display()));
        }
    }
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_page_of_the_lab_shows_every_experiment_and_every_figure() {
    let page = fs::read_to_string(here().join("src/lab.md")).expect("a page");
    let mut findings = Vec::new();
    let mut require = |what: String| {
        if !page.contains(&what) {
            findings.push(what);
        }
    };
    for (experiment, results) in committed() {
        let name = experiment.name;
        require(format!("## {}", experiment.about.title));
        require(format!("zen-bench -- run {name}"));
        for anchor in ["question", "seen"] {
            require(format!("{{{{#include ../data/lab/{name}.md:{anchor}}}}}"));
        }
        for chart in results.figures() {
            let figure = format!("figures/lab/{name}-{}.svg", chart.name);
            require(format!("{{{{#include {figure}}}}}"));
        }
    }
    assert!(findings.is_empty(), "not in lab.md:\n{}\n", findings.join("\n"));
}

#[test]
fn every_data_file_names_its_machine() {
    for (experiment, results) in committed() {
        assert_eq!(results.experiment, experiment.name);
        let machine = &results.machine;
        assert!(machine.cores > 0 && machine.system.starts_with("Linux"));
        assert_eq!(machine.profile, "release");
        assert_ne!(machine.revision, "unknown");
        // It takes minutes, so it ran only once.
        let once = experiment.name == "million";
        assert!(once || results.runs >= 3, "{}", experiment.name);
    }
}

#[test]
fn the_readme_names_the_million_as_measured() {
    let readme = fs::read_to_string(here().join("../README.md")).unwrap();
    let results = read(&here(), experiment("million")).expect("data");
    let at = |chart, name| results.chart(chart).unwrap().at(name, 1e6).unwrap();
    let memory = format!("{:.0} MB", at("memory", "server"));
    let wait = format!("{:.0} µs", at("wait", "first answer, median"));
    for figure in [&*memory, &*wait, "1,000,000"] {
        assert!(readme.contains(figure), "not in README.md: {figure}");
    }
}

#[test]
fn the_list_names_every_experiment() {
    let output = zen_bench(&["list"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for Experiment { name, about, .. } in &*EXPERIMENTS {
        assert!(text.contains(&format!("{name}: ")));
        assert!(text.contains(&about.question));
    }
}

#[track_caller]
fn fails(arguments: &[&str], message: &str) {
    let output = zen_bench(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains(message), "{errors}");
}

#[test]
fn impossible_requests_are_refused() {
    fails(&["run", "nothing"], "no experiment is called nothing");
    fails(&["run"], "required");
    fails(&["load"], "name a server");
    fails(&["load", "zen-nothing"], "no server is called zen-nothing");
    fails(&["load", "zen-poll", "--seconds", "601"], "from 0 to 600 seconds");
    fails(&["load", "zen-poll", "--seconds", "0"], "from 0 to 600 seconds");
    fails(&["load", "--also", "x"], "NAME='command'");
    fails(&["load", "--also", "x='"], "a command has to follow");
    fails(&["load", "--also", "=x"], "a name has to come before");
}

#[test]
fn a_server_that_it_did_not_start_is_not_flooded() {
    let here = "127.0.0.1:9";
    let away = "192.0.2.1:1060";
    let connect = |address, more: &[&'static str]| {
        [&["load", "--connect", address], more].concat()
    };
    fails(&connect(here, &["-c", "65"]), "gets at most 64 clients");
    fails(&connect(here, &["-q", "1000001"]), "gets at most 1000000 questions");
    fails(&connect(away, &[]), "is not a loopback address");
    fails(&connect(away, &["--not-loopback"]), "--rate");
    for load in [["-c", "9", "-r", "1"], ["-c", "1", "-r", "101"]] {
        let more = [&["--not-loopback"], &load[..]].concat();
        fails(&connect(away, &more), "at most 8 clients and 100 questions");
    }
}

#[test]
fn loads_any_command_and_reports() {
    let program = program!("zen-bench");
    let program = shlex::try_quote(&program).expect("a path");
    let also = format!("bare={program} bare-loop --batch 1 --port {{port}}");
    let file = scratch().expect("a folder").join("load.json");
    let json = file.to_str().expect("a path in UTF-8");
    for (pace, name) in [(&[][..], "closed"), (&["-r", "500"], "open")] {
        let load = ["load", "--also", &also, "-s", "1.5", "--json", json];
        let output = zen_bench(&[&load, pace].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        assert!(text.contains(&format!("bare: {name} loop")), "{text}");
        assert!(text.contains("saturated"), "{text}");
        // Not a terminal, so the progress is in lines.
        assert!(errors.contains("bare: ") && errors.contains("99 %"));
        let json = fs::read_to_string(&file).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let report = &json[0];
        assert_eq!(report["server"], "bare");
        assert!(report["answers"].as_u64().unwrap() > 0);
        if cfg!(target_os = "linux") {
            let cpu = report["server_cpu_us_an_answer"].as_f64().unwrap();
            assert!(cpu > 0.0 && cpu < 1e5, "{cpu}");
            assert_eq!(report["after"]["processes"], 1);
        }
    }
}
