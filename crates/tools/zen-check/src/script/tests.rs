use std::time::Duration;

use super::{Act, Bound, ClientAct, Part, ServerAct, Times, Words, act, parse};

fn read(line: &str) -> Act {
    act(&mut Words(line)).unwrap()
}

#[test]
fn bytes_are_escaped_repeated_and_joined() {
    let line = r#"a: send 3 * "x?" + "\n\x41\"\\" "#;
    let Act::Client(name, ClientAct::Send(bytes)) = read(line) else {
        panic!("not a send");
    };
    assert_eq!((&*name, &*bytes), ("a", &b"x?x?x?\nA\"\\"[..]));
}

#[test]
fn an_expectation_has_its_times() {
    let line = "b: expect \"Ugly.\" after 300ms within 2s";
    let Act::Client(_, ClientAct::Expect(_, times)) = read(line) else {
        panic!("not an expectation");
    };
    let expected = Times {
        after: Some(Duration::from_millis(300)),
        within: Some(Duration::from_secs(2)),
    };
    assert_eq!(times, expected);
}

#[test]
fn a_server_is_counted() {
    let Act::Server(act) = read("server: expect at most 5 threads") else {
        panic!("not about the server");
    };
    assert_eq!(act, ServerAct::ExpectParts(Bound::AtMost, 5, Part::Threads));
}

#[test]
fn a_line_of_the_log_may_be_expected_more_than_once() {
    let text = String::from("goes on");
    for (line, lines) in [
        ("server: expect log \"goes on\"", 1),
        ("server: expect log \"goes on\" in 3 lines", 3),
    ] {
        let Act::Server(act) = read(line) else {
            panic!("not about the server");
        };
        assert_eq!(act, ServerAct::ExpectLog(text.clone(), lines));
    }
}

#[test]
fn whatever_is_wrong_is_told_with_its_line() {
    for (line, what) in [
        ("a: sing", "no client does \"sing\""),
        ("a: send \"x", "the second \" is missing"),
        ("a: send x", "\"x\" is no number"),
        ("a: send 9999999 * \"xxxx\"", "more than 32MiB"),
        ("a: send \"\\q\"", "\\ is followed by"),
        ("a: expect end soon", "\"soon\" is too much"),
        ("wait 2m", "\"2m\" is no time"),
        ("wait 60s", "is no time such as 20ms or 2s, up to 20s"),
        ("server: signal KILL", "is no signal for this"),
        ("busy 65", "\"65\" is no number up to 64"),
        ("server: expect log \"x\" in 3", "\"lines\" is missing"),
        ("server: expect 5 wheels", "a server has no \"wheels\""),
        ("whatever", "\"whatever\" is not known here"),
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
