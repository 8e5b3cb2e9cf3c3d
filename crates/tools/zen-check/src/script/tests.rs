use std::time::Duration;

use super::parse;
use super::play::fits;
use super::steps::{
    CLIENT, CLIENT_OF_CONTRACT, OTHERS, SERVER, SERVER_OF_CONTRACT,
};
use super::words::{Args, Bound, Times, command_line, read};

fn args(pattern: &str, line: &str) -> Args {
    read(pattern, line).unwrap()
}

#[test]
fn bytes_are_escaped_repeated_and_joined() {
    let line = args("send BYTES", r#"send 3 * "x?" + "\n\x41\"\\" "#);
    assert_eq!(line.bytes.of(0), b"x?x?x?\nA\"\\");
}

#[test]
fn bytes_are_counted_by_the_most_bytes_of_a_question() {
    for (count, expected) in
        [("max", 8), ("max-1", 7), ("max+2", 10), ("max/2", 4), ("max/2-1", 3)]
    {
        let line = args("send BYTES", &format!("send {count} * \"x\""));
        assert_eq!(line.bytes.of(8).len(), expected, "{count}");
    }
    for wrong in ["maximum", "max/0", "max*2", "-1"] {
        read("send BYTES", &format!("send {wrong} * \"x\"")).unwrap_err();
    }
}

#[test]
fn an_expectation_has_its_times() {
    let line = "expect \"Ugly.\" after 300ms within 2s";
    let expected = Times {
        after: Some(Duration::from_millis(300)),
        within: Some(Duration::from_secs(2)),
    };
    assert_eq!(args("expect BYTES TIMES", line).times, expected);
}

#[test]
fn a_server_is_counted() {
    let pattern = "expect BOUND 0..100 PART";
    let line = args(pattern, "expect at most 5 threads");
    assert_eq!((line.bound, line.number), (Bound::AtMost, 5));
    for (word, part) in [("zombies", "zombies"), ("process", "processes")] {
        let line = args(pattern, &format!("expect 1 {word}"));
        assert_eq!(line.part.unwrap().0, part);
    }
}

#[test]
fn the_words_of_a_command_line_may_be_quoted() {
    let words = command_line("-p 0 \"\" \"a b\"").unwrap();
    assert_eq!(words, ["-p", "0", "", "a b"]);
}

#[test]
fn a_case_may_have_parts_and_be_repeated() {
    let cases = "case own/1: it holds\nfor each: 1 | 2\n\
        options: --workers {each}\na: ask\nagain\na: ask\n";
    assert_eq!(parse("own", cases).unwrap().len(), 1);
}

#[test]
fn an_error_is_told_with_its_line() {
    for (line, what) in [
        ("a: sing", "no client does \"sing\""),
        ("a: send \"x", "the second \" is missing"),
        ("a: send x", "\"x\" is no number"),
        ("a: send 9999999 * \"xxxx\"", "more than 32MiB"),
        ("a: send \"\\q\"", "\\ is followed by"),
        ("a: expect end soon", "\"soon\" is too much"),
        ("a[x]: ask", "\"x\" is no number"),
        ("a[2: ask", "\"a[2\" has no ]"),
        ("wait 2m", "\"2m\" is no time"),
        ("wait 60s", "is no time such as 20ms or 2s, up to 20s"),
        ("server: signal KILL", "is no signal here"),
        ("busy 65", "\"65\" is no number up to 64"),
        ("server: expect log \"x\" in 3", "\"lines\" is missing"),
        ("server: expect 5 wheels", "a server has no \"wheels\""),
        ("whatever", "no line begins with \"whatever\""),
        // These are the contract's own.
        ("a: let answers wait", "no client does \"let\""),
        ("server: disturb", "a server is not told \"disturb\""),
        ("run: --help", "no client does \"--help\""),
    ] {
        let text = format!("# A comment.\n\ncase own/1: it holds\n{line}\n");
        let message = parse("own", &text).unwrap_err();
        assert!(message.starts_with("line 4: "), "{message}");
        assert!(message.contains(what), "{line}: {message}");
    }
    for (text, what) in [
        ("a: ask", "line 1: it stands before the first case"),
        ("case other/1: it holds", "is not own/NUMBER"),
        ("case own/1: it holds", "own/1::it_holds is empty"),
    ] {
        let message = parse("own", text).unwrap_err();
        assert!(message.contains(what), "{text}: {message}");
    }
}

#[test]
fn a_line_goes_on_behind_a_backslash_and_errors_count_on() {
    let text = "case own/1: it holds\na: ask \\\n  \"Who?\"\na: aks\n";
    let message = parse("own", text).unwrap_err();
    assert!(message.starts_with("line 4: no client does \"aks\""), "{message}");
}

#[test]
fn an_error_says_what_was_expected() {
    for (line, expected) in [
        ("a: aks", "but ask, close, connect, expect, finish,"),
        ("a: expect end soon", "the line could be `expect end TIMES`"),
        ("server: rest for a while", "the line could be `rest for TIME`"),
        ("server: sleep", "but expect, freeze, rest, signal, thaw"),
    ] {
        let text = format!("case own/1: it holds\n{line}\n");
        let message = parse("own", &text).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_pattern_of_a_line_stands_for_any_text() {
    for (line, pattern, is_it) in [
        ("error: no", "error: ...", true),
        ("error: ", "error: ...", false),
        ("zen: listing 7-5, page 1", "...7-...page ...", true),
        ("zen: listing 7-5", "...7-...page ...", false),
        ("as it is", "as it is", true),
    ] {
        assert_eq!(fits(line, pattern), is_it, "{line:?} {pattern:?}");
    }
}

/// The words of a pattern that are always the same.
fn words(pattern: &str) -> Vec<&str> {
    let is_fixed = |word: &&str| !word.contains(|c: char| c.is_uppercase());
    let fixed = pattern.split(' ').filter(is_fixed);
    fixed.filter(|word| !word.contains("..")).collect()
}

#[test]
fn every_line_is_explained() {
    let of_assignments = include_str!("../../../../homework/README.md");
    let of_contract = include_str!("../cases/README.md");
    let patterns = |rows: &[(&'static str, _)]| -> Vec<_> {
        rows.iter().map(|row| row.0).collect()
    };
    let general = [patterns(OTHERS), patterns(SERVER)].concat();
    let clients = CLIENT.iter().map(|row| row.0);
    let special = CLIENT_OF_CONTRACT.iter().map(|row| row.0);
    let special = special.chain(patterns(SERVER_OF_CONTRACT));
    let all = general.into_iter().chain(clients);
    let all = all.map(|pattern| (pattern, of_assignments));
    for (pattern, text) in all.chain(special.map(|it| (it, of_contract))) {
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let is_explained = |row: &str| {
            let mut rest = row;
            words(pattern).iter().all(|word| match rest.split_once(word) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        };
        assert!(rows.into_iter().any(is_explained), "{pattern}");
    }
}
