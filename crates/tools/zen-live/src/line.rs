//! The notation in which everything is asked for: by a lesson, by the page's
//! buttons, and by anyone who posts a line. It is that of an assignment's
//! cases, with the name of a lane before it where only one is meant:
//!
//! ```text
//! a: connect                 a client of this name, in every lane
//! poll/a: ask                the one in the lane `poll`
//! silent 50                  a crowd that says nothing
//! threaded/server: restart --workers 2
//! ```

const NAME_BYTES_MAX: usize = 12;

/// What happens where; in every lane, if none is named.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) lane: Option<String>,
    pub(crate) act: Act,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Client(String, ClientAct),
    Silent(usize),
    Busy,
    Dismiss,
    Restart(Vec<String>),
    Stop,
    Kill,
    /// Begins this lesson; none if it is empty.
    Lesson(String),
    Next,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClientAct {
    Connect,
    Send(Vec<u8>),
    Ask,
    Half,
    Rest,
    Byte,
    Flood,
    StopReading,
    Read,
    Finish,
    Reset,
    Leave,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let head = text.split([' ', ':']).next().unwrap_or_default();
        let (lane, rest) = match head.split_once('/') {
            Some((lane, _)) => (Some(lane.into()), &text[lane.len() + 1..]),
            None => (None, text),
        };
        let act = act(rest).ok_or_else(|| format!("not known: {text:?}"))?;
        Ok(Self { lane, act })
    }
}

/// What lanes and clients may be called.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(is_part)
}

fn act(text: &str) -> Option<Act> {
    if let Some((name, rest)) = text.split_once(": ") {
        return match name {
            "server" => server_act(rest.trim()),
            _ if !is_name(name) => None,
            _ => Some(Act::Client(name.into(), client_act(rest.trim())?)),
        };
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match (word, rest.trim()) {
        ("silent", number) => Act::Silent(number.parse().ok()?),
        ("busy", "") => Act::Busy,
        ("dismiss", "") => Act::Dismiss,
        ("next", "") => Act::Next,
        ("lesson", name) => Act::Lesson(name.into()),
        _ => return None,
    })
}

fn server_act(text: &str) -> Option<Act> {
    Some(match text.split_once(' ').unwrap_or((text, "")) {
        ("restart", options) => {
            let options = options.split_whitespace().map(String::from);
            Act::Restart(options.collect())
        }
        ("signal", "TERM") => Act::Stop,
        ("kill", "") => Act::Kill,
        _ => return None,
    })
}

fn client_act(text: &str) -> Option<ClientAct> {
    Some(match text {
        "connect" => ClientAct::Connect,
        "ask" => ClientAct::Ask,
        "half" => ClientAct::Half,
        "rest" => ClientAct::Rest,
        "byte" => ClientAct::Byte,
        "flood" => ClientAct::Flood,
        "stop reading" => ClientAct::StopReading,
        "read" => ClientAct::Read,
        "finish" => ClientAct::Finish,
        "reset" => ClientAct::Reset,
        "leave" => ClientAct::Leave,
        _ => ClientAct::Send(quoted(text.strip_prefix("send ")?)?.into()),
    })
}

/// The string between the quotation marks around all of it.
pub(crate) fn quoted(text: &str) -> Option<&str> {
    text.trim().strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, Act) {
        let Line { lane, act } = Line::parse(text).unwrap();
        (lane, act)
    }

    #[test]
    fn a_line_says_where_who_and_what() {
        let ask = |name: &str| Act::Client(name.into(), ClientAct::Ask);
        assert_eq!(parsed("a: ask"), (None, ask("a")));
        assert_eq!(parsed(" poll/b2: ask "), (Some("poll".into()), ask("b2")));
        let sent = ClientAct::Send(b"a/b: ?".to_vec());
        let sent = Act::Client("a".into(), sent);
        assert_eq!(parsed("a: send \"a/b: ?\""), (None, sent));
        let options = ["--workers", "2"].map(String::from).into();
        assert_eq!(
            parsed("x/server: restart --workers 2"),
            (Some("x".into()), Act::Restart(options))
        );
        assert_eq!(parsed("x/silent 5"), (Some("x".into()), Act::Silent(5)));
        assert_eq!(parsed("lesson").1, Act::Lesson(String::new()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "a: sing",
            "A: ask",
            "<b>: ask",
            "aaaaaaaaaaaaa: ask",
            "silent many",
            "silent -1",
            "server: signal KILL",
            "a: send hello",
            "/",
            "é: ask",
        ] {
            assert!(Line::parse(text).is_err(), "{text:?}");
        }
    }
}
