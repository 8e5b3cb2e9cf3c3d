//! Every format, for a server that passes, one that fails, a checker that
//! fails itself, and a server that prints whatever could hurt a reader.
#![expect(clippy::unwrap_used, reason = "helpers of tests, beside them")]

mod schema;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, SystemTime};
use std::{fs, io, process};

use roxmltree::{Document, Node};
use serde_json::Value;
use zen_check::report::{
    Because, CaseResult, Cause, Crowd, Failure, Format, Level, Observation,
    Outcome, Profile, Report, Settings, write,
};

/// What means something to one reader or another.
const HOSTILE: &str = "::error::mine\r\n##[error]mine\x1b[31m\x1b]0;title\x07\
     \0\x0b\u{7f}\u{9b}\u{202e}\u{2028}\u{feff}\u{fffe}\u{ffff}\u{fffd}]]>\
     ````````````\n````````````\n<script>%0A</failure>&amp;| \\";

fn report(outcomes: Vec<(&'static str, Level, Outcome)>) -> Report {
    let crowd = Crowd { clients: 5, threads: Some(1), ..Crowd::default() };
    Report {
        subject: "./server -p {port}".into(),
        profile: Profile::Server,
        architecture: None,
        seed: u64::MAX,
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400),
        time: Duration::from_millis(1500),
        observed: Some(Observation {
            verdict: "One thread.".into(),
            crowds: vec![crowd],
            notes: vec!["A note.".into()],
        }),
        causes: Vec::new(),
        results: outcomes
            .into_iter()
            .map(|(clause, level, outcome)| CaseResult {
                clause,
                sentence: format!("keeps {clause}"),
                level,
                points: usize::from(level == Level::Must),
                outcome,
                time: Duration::from_millis(500),
            })
            .collect(),
    }
}

fn failed(text: &str) -> Outcome {
    Outcome::Failed(Box::new(Failure {
        what: format!("the answer is not the right one{text}"),
        bytes: Some(false),
        ending: Some(true),
        difference: vec!["expected: Ugly.".into(), "          ^".into()],
        transcript: vec![format!("0.001 s: sent b\"?\"{text}")],
        means: Some("a recv() is taken for a question".into()),
        page: "contract.html#wire-2".into(),
        again: "zen-check --case wire/2 ./server".into(),
        log: vec![format!("Listening{text}"), text.into()],
        ..Failure::default()
    }))
}

use Level::{Must, Should};

fn passing() -> Report {
    report(vec![
        ("wire/1", Must, Outcome::Passed),
        ("wire/2", Should, Outcome::Passed),
        ("limit/1", Must, Outcome::Passed),
        ("stop/1", Must, Outcome::Skipped("on Linux only".into())),
        ("stop/2", Must, Outcome::Skipped("on Linux only".into())),
    ])
}

fn failing() -> Report {
    report(vec![
        ("wire/1", Must, Outcome::Passed),
        ("wire/2", Must, failed("")),
        ("wire/3", Should, failed("")),
        ("limit/1", Must, failed("")),
        ("stop/1", Must, Outcome::Error("no more descriptors".into())),
    ])
}

/// Two cases fail for one reason, and one for another.
fn caused() -> Report {
    let of_words = || {
        let Outcome::Failed(failure) = failed("") else { unreachable!() };
        let because = Some(Because::Words);
        Outcome::Failed(Box::new(Failure { because, ..*failure }))
    };
    let cause = |what: &str, explains| Cause {
        what: what.into(),
        lines: vec!["expected b\"Ugly.\"".into()],
        explains,
    };
    let mut report = report(vec![
        ("wire/2", Must, of_words()),
        ("wire/3", Must, failed("")),
        ("wire/8", Must, of_words()),
    ]);
    report.causes = vec![
        cause("an answer has the wrong words", Some(Because::Words)),
        cause("it is slow", None),
    ];
    report
}

fn erring() -> Report {
    let error = || Outcome::Error("no more descriptors".into());
    report(vec![("wire/1", Must, error()), ("wire/2", Must, error())])
}

fn hostile() -> Report {
    let mut report = failing();
    report.subject += HOSTILE;
    let flood = "\x1b`\u{e000}]]>".repeat(700_000);
    assert!(flood.len() > 5_000_000);
    let like = report.results[1].clone();
    for text in [HOSTILE, &flood] {
        for outcome in [failed(text), Outcome::Skipped(text.into())] {
            report.results.push(CaseResult { outcome, ..like.clone() });
        }
    }
    let many = vec![HOSTILE.to_string(); 5_000];
    let result = report.results.last_mut().unwrap();
    let (difference, transcript) = (many.clone(), many.clone());
    let failure =
        Failure { difference, transcript, log: many, ..Failure::default() };
    result.outcome = Outcome::Failed(Box::new(failure));
    report
}

fn all() -> [(&'static str, Report); 4] {
    [
        ("passing", passing()),
        ("failing", failing()),
        ("caused", caused()),
        ("hostile", hostile()),
    ]
}

fn try_written(
    report: &Report,
    format: Format,
    environment: &[(&str, &str)],
) -> io::Result<String> {
    let variables: BTreeMap<_, _> = environment.iter().copied().collect();
    let environment = |name: &str| variables.get(name).map(OsString::from);
    let settings =
        Settings { environment: &environment, ..Settings::default() };
    let mut bytes = Vec::new();
    write(report, format, &mut bytes, &settings)?;
    Ok(String::from_utf8(bytes).expect("a report is UTF-8"))
}

fn written(report: &Report, format: Format) -> String {
    try_written(report, format, &[]).unwrap()
}

fn json(report: &Report, format: Format) -> Value {
    let text = written(report, format);
    serde_json::from_str(&text).expect("strict JSON")
}

fn sum(tests: &Value, name: &str) -> u64 {
    let tests = tests.as_array().unwrap().iter();
    tests.map(|test| test[name].as_u64().expect("a whole number")).sum()
}

/// The annotations and the summary.
fn github(report: &Report, name: &str) -> (String, String) {
    let file = format!("zen-check-summary-{name}-{}.md", process::id());
    let path = std::env::temp_dir().join(file);
    let environment = [("GITHUB_STEP_SUMMARY", path.to_str().unwrap())];
    let lines = try_written(report, Format::Github, &environment).unwrap();
    let summary = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    (lines, summary)
}

#[test]
fn a_format_is_named_as_it_is_shown() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert!("xml".parse::<Format>().unwrap_err().contains("junit"));
}

#[test]
fn every_format_gives_the_same_points() {
    for (name, report) in all() {
        let totals = report.totals();
        let (points, max) = (totals.points as u64, totals.points_max as u64);
        let words = format!("{points} of {max} points");
        let terminal = written(&report, Format::Terminal);
        assert!(terminal.contains(&words), "{terminal}");
        assert!(github(&report, &format!("points-{name}")).1.contains(&words));
        assert!(written(&report, Format::Junit).contains(&words));
        let own = json(&report, Format::Json);
        assert_eq!(own["totals"]["points"], points);
        assert_eq!(own["totals"]["points_max"], max);
        let gradescope = json(&report, Format::Gradescope);
        assert_eq!(gradescope.get("score"), None, "a second sum");
        assert_eq!(sum(&gradescope["tests"], "score"), points);
        assert_eq!(sum(&gradescope["tests"], "max_score"), max);
        let classroom = json(&report, Format::Classroom50);
        assert_eq!(classroom["score"], points);
        assert_eq!(classroom["max-score"], max);
        assert_eq!(sum(&classroom["tests"], "score"), points);
        assert_eq!(sum(&classroom["tests"], "max-score"), max);
    }
}

#[test]
fn the_verdict_stands_before_any_log() {
    let first = |report: Report| {
        let text = written(&report, Format::Terminal);
        text.lines().next().unwrap_or_default().to_string()
    };
    assert_eq!(first(passing()), "passes all 2 cases that count");
    assert_eq!(
        first(failing()),
        "fails 2 of 3 cases that count: wire/2, limit/1; nothing is known of \
         1 case"
    );
    assert_eq!(
        first(erring()),
        "comes to no verdict: no case that counts; nothing is known of 2 cases"
    );
}

#[test]
fn a_cause_is_told_once_and_first() {
    let text = written(&caused(), Format::Terminal);
    let first = "fails 3 of 3 cases that count: an answer has the wrong words; \
         wire/3\n";
    assert!(text.starts_with(first), "{text}");
    let at = |part: &str| text.find(part).expect(part);
    let why = "WHY: an answer has the wrong words\n  expected b\"Ugly.\"\n";
    assert!(at(why) < at("NOTE: it is slow"), "{text}");
    assert!(at("NOTE: it is slow") < at("FAILED wire/3"), "{text}");
    assert!(!text.contains("FAILED wire/2"), "{text}");
    let (lines, summary) = github(&caused(), "caused");
    assert!(lines.starts_with("::error title=an answer has"), "{lines}");
    assert!(!lines.contains("title=wire/2"), "{lines}");
    assert!(summary.contains("### WHY: an answer"), "{summary}");
    let gradescope = json(&caused(), Format::Gradescope);
    let output = gradescope["output"].as_str().unwrap();
    assert!(output.contains("WHY: an answer has"), "{output}");
}

#[test]
fn who_passes_the_short_check_is_told_how_to_go_on() {
    let next = |profile| {
        let report = Report { profile, ..passing() };
        written(&report, Format::Terminal).contains("next: ")
    };
    assert!(next(Profile::Wire) && !next(Profile::Server));
}

#[test]
fn a_terminal_shows_all_that_a_student_needs() {
    let text = written(&failing(), Format::Terminal);
    let expected = "FAILED wire/2: keeps wire/2
  the answer is not the right one
  the bytes are wrong, the ending is right
    expected: Ugly.
              ^
  sent and received:
    0.001 s: sent b\"?\"
  it usually means: a recv() is taken for a question
  book: contract.html#wire-2
  again: zen-check --case wire/2 ./server
  last lines of its log:
    | Listening
";
    assert!(text.contains(expected), "{text}");
    for part in [
        "SHOULD wire/3",
        "No verdict about the server",
        "no more descriptors",
        "One thread.",
        "seed 18446744073709551615",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let text = written(&passing(), Format::Terminal);
    assert!(text.contains("  on Linux only: stop/1, stop/2\n"), "{text}");
}

#[test]
fn many_failures_do_not_bury_the_first_ones() {
    let report =
        report((0..80).map(|_| ("wire/2", Must, failed(""))).collect());
    let shown = |all| {
        let mut bytes = Vec::new();
        let settings = Settings { all, ..Settings::default() };
        write(&report, Format::Terminal, &mut bytes, &settings).unwrap();
        String::from_utf8(bytes).unwrap().matches("book: ").count()
    };
    assert_eq!((shown(false), shown(true)), (5, 80));
}

#[test]
fn no_format_passes_on_what_a_reader_would_obey() {
    let report = hostile();
    for format in Format::ALL {
        let text = written(&report, format);
        assert!(text.len() < 100_000, "{format}: {} bytes", text.len());
        // Printable, or a line's end; what is `\u{1b}` here is an escape.
        let bad = text.chars().find(|&c| {
            c != '\n'
                && !matches!(c, '\'' | '"' | '\\')
                && c.escape_debug().len() > 1
        });
        assert_eq!(bad, None, "{format}");
        let lines = text.lines().map(str::trim_start);
        let commands = lines.filter(|line| {
            line.starts_with("::") || line.contains("##[error]")
        });
        let ours = |line: &&str| {
            let ours = ["::error title=", "::warning title="];
            ours.iter().any(|start| line.starts_with(start))
                && !line.contains("##[")
        };
        let commands: Vec<_> = commands.filter(|line| !ours(line)).collect();
        assert_eq!(commands, [""; 0], "{format}");
    }
}

#[test]
fn a_terminal_is_coloured_only_if_it_is_told_to() {
    let settings = Settings { colour: true, ..Settings::default() };
    let mut bytes = Vec::new();
    write(&failing(), Format::Terminal, &mut bytes, &settings).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("\x1b[1;31mfails"), "{text}");
    assert!(!written(&failing(), Format::Terminal).contains('\x1b'));
}

#[test]
fn json_is_as_its_schema_says() {
    let schema = include_str!("../../report.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    for (_, report) in all().into_iter().chain([("", erring())]) {
        let value = json(&report, Format::Json);
        assert_eq!(schema::wrong(&schema, &schema, &value), None);
        for result in value["results"].as_array().unwrap() {
            let outcome = result["outcome"].as_str().unwrap();
            let has_reason = ["error", "skipped"].contains(&outcome);
            assert_eq!(result["reason"].is_string(), has_reason);
            assert_eq!(result["failure"].is_object(), outcome == "failed");
        }
    }
    let mut value = json(&failing(), Format::Json);
    assert_eq!(value["started"], "2000-02-29T00:00:00Z");
    value["results"][1]["failure"]["bytes"] = "yes".into();
    assert!(schema::wrong(&schema, &schema, &value).is_some());
}

#[test]
fn junit_tells_a_failure_from_an_error() {
    let text = written(&failing(), Format::Junit);
    let document = Document::parse(&text).expect("strict XML");
    let root = document.root_element();
    let counts = ["tests", "failures", "errors", "skipped"];
    assert_eq!(
        counts.map(|it| root.attribute(it)),
        ["5", "2", "1", "0"].map(Some)
    );
    let suites: Vec<_> = root.children().filter(Node::is_element).collect();
    let names: Vec<_> = suites.iter().map(|it| it.attribute("name")).collect();
    assert_eq!(names, [Some("wire"), Some("limit"), Some("stop")]);
    let of = |name| document.descendants().find(|it| it.has_tag_name(name));
    let failure = of("failure").unwrap();
    let message = Some("the answer is not the right one");
    assert_eq!(failure.attribute("message"), message);
    assert!(failure.text().unwrap().contains("\nsent and received:\n"));
    let error = of("error").unwrap();
    assert_eq!(error.attribute("message"), Some("no more descriptors"));
    assert!(of("system-out").unwrap().text().unwrap().starts_with("should"));
    let text = written(&passing(), Format::Junit);
    let document = Document::parse(&text).unwrap();
    let skipped = document.descendants().find(|it| it.has_tag_name("skipped"));
    assert_eq!(skipped.unwrap().attribute("message"), Some("on Linux only"));
}

#[test]
fn junit_of_a_hostile_server_is_xml() {
    let text = written(&hostile(), Format::Junit);
    let document = Document::parse(&text).expect("strict XML");
    let tags: Vec<_> = document
        .descendants()
        .filter(|it| it.has_tag_name("failure"))
        .collect();
    assert_eq!(tags.len(), 5);
    let text = tags[1].text().unwrap();
    assert!(text.contains("\\u{1b}[31m"), "{text}");
    assert!(text.contains("]]>````````````\\n"), "{text}");
    assert!(text.contains("</failure>&amp;"), "{text}");
}

#[test]
fn gradescope_takes_no_point_for_what_the_checker_did() {
    let value = json(&failing(), Format::Gradescope);
    let tests = value["tests"].as_array().unwrap();
    let tests: Vec<_> = tests
        .iter()
        .map(|test| {
            assert_eq!(test["output_format"], "text");
            let name = test["name"].as_str().unwrap();
            (name, &test["max_score"], test["status"].as_str())
        })
        .collect();
    assert_eq!(
        tests,
        [
            ("wire/1: keeps wire/1", &1.into(), Some("passed")),
            ("wire/2: keeps wire/2", &1.into(), Some("failed")),
            ("wire/3: keeps wire/3 (no points)", &0.into(), Some("failed")),
            ("limit/1: keeps limit/1", &1.into(), Some("failed")),
            ("stop/1: keeps stop/1", &1.into(), None),
        ]
    );
    let output = value["output"].as_str().unwrap();
    assert!(output.contains("FOR THE TEACHER"), "{output}");
    assert!(output.contains("stop/1"), "{output}");
    assert_eq!(value["visibility"], "visible");
    assert_eq!(value["stdout_visibility"], "hidden");
    assert_eq!(value["execution_time"], 1.5);
}

#[test]
fn a_case_without_a_verdict_keeps_its_points_in_the_maximum() {
    let report = erring();
    let errors = report.totals().errors;
    let value = json(&report, Format::Gradescope);
    let (score, max) =
        (sum(&value["tests"], "score"), sum(&value["tests"], "max_score"));
    assert_eq!((score, max > 0), (0, true), "{value}");
    let output = value["output"].as_str().unwrap();
    assert!(output.contains("FOR THE TEACHER"), "{output}");
    let tests = value["tests"].as_array().unwrap();
    let unknown = tests.iter().filter(|test| test.get("status").is_none());
    assert_eq!(unknown.count(), errors);
    let value = json(&report, Format::Classroom50);
    assert_eq!(value["score"], 0);
    assert_eq!(value["max-score"], max);
    let name = value["tests"][0]["test-name"].as_str().unwrap();
    assert!(name.starts_with("no verdict: "), "{name}");
}

/// What both of Classroom 50's validators demand.
fn check_classroom50(value: &Value) {
    let keys: Vec<_> = value.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "assignment",
            "classroom",
            "commit",
            "datetime",
            "max-score",
            "release",
            "review",
            "schema",
            "score",
            "submission",
            "tests",
        ]
    );
    assert_eq!(value["schema"], "classroom50/result/v1");
    for key in ["assignment", "classroom", "commit", "release", "review"] {
        assert_ne!(value[key].as_str().expect("a text"), "");
    }
    assert!(value["submission"].as_str().unwrap().starts_with("submit/"));
    assert_eq!(value["datetime"], "2000-02-29T00:00:00Z");
    assert!(value["score"].as_u64() <= value["max-score"].as_u64());
    for test in value["tests"].as_array().unwrap() {
        let keys: Vec<_> = test.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["max-score", "passed", "score", "test-name"]);
        assert_ne!(test["test-name"].as_str().unwrap(), "");
        assert_eq!(test["max-score"], 1);
        assert_eq!(test["score"], u8::from(test["passed"].as_bool().unwrap()));
    }
}

#[test]
fn classroom50_is_as_its_validators_demand() {
    for (_, report) in all() {
        check_classroom50(&json(&report, Format::Classroom50));
    }
    let environment = [
        ("CLASSROOM", "cs"),
        ("ASSIGNMENT", "poll"),
        ("SUBMISSION_TAG", "submit/2026"),
        ("COMMIT_URL", "https://example.org/c"),
        ("RELEASE_URL", "https://example.org/r"),
        ("REVIEW_URL", ""),
    ];
    let text = try_written(&failing(), Format::Classroom50, &environment);
    let value: Value = serde_json::from_str(&text.unwrap()).unwrap();
    check_classroom50(&value);
    assert_eq!(value["classroom"], "cs");
    assert_eq!(value["assignment"], "poll");
    assert_eq!(value["submission"], "submit/2026");
    assert_eq!(value["release"], "https://example.org/r");
    assert_eq!(value["review"], "https://example.org/c", "as the commit");
}

#[test]
fn github_is_told_of_no_more_than_it_shows() {
    let outcomes = (0..30).map(|_| ("wire/2", Must, failed(": 100%\n")));
    let (lines, summary) = github(&report(outcomes.collect()), "many");
    assert_eq!(lines.matches("::error title=").count(), 10);
    let first = "::error title=wire/2%3A keeps wire/2::the answer is not the \
         right one: 100%25\\n%0Aa recv() is taken for a question\n";
    assert!(lines.starts_with(first), "{lines}");
    assert_eq!(summary.matches("\n### ").count(), 31, "{summary}");
    let (lines, _) = github(&failing(), "warning");
    assert!(lines.contains("\n::warning title=wire/3"), "{lines}");
    assert!(lines.contains("No verdict about the server"), "{lines}");
}

#[test]
fn a_summary_stays_in_its_fences_and_its_limit() {
    let (_, summary) = github(&hostile(), "hostile");
    let mut fence: Option<&str> = None;
    let mut fences = 0;
    for line in summary.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(&line[..ticks]),
            None => {
                let text = line.replace("\\<", "").replace("\\`", "");
                assert!(!text.contains(['<', '`']), "{line}");
            }
            Some(open) if ticks >= open.len() => {
                assert_eq!(line, open);
                (fence, fences) = (None, fences + 1);
            }
            Some(_) => {}
        }
    }
    assert_eq!((fence, fences), (None, 7), "{summary}");

    let mut report = hostile();
    let flood = vec!["\u{9b}".repeat(1_000); 100];
    let failure = Failure { transcript: flood, ..Failure::default() };
    report.results[1].outcome = Outcome::Failed(Box::new(failure));
    let result = report.results[1].clone();
    report.results = vec![result; 200];
    let (_, summary) = github(&report, "flood");
    assert!(summary.len() < 1_000_000, "{} bytes", summary.len());
    assert!(summary.contains("more sections did not fit"), "{summary}");
}
