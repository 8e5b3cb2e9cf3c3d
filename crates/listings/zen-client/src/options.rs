//! The command line of the client: what it asks, when, and how often.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use clap::Args;
use clap::value_parser;
use zen_utils::aphorisms::APHORISMS;
use zen_utils::command_line::{
    self, Address, parse_milliseconds, parse_seconds,
};

#[derive(Args, Clone, Debug)]
#[command(
    mut_arg("host", |host| host.help("IP address or name of the server")),
    mut_arg("port", |port| port.help("TCP port of the server"))
)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) address: Address,

    /// Cause an error: send the first question without its last byte, then
    /// leave
    #[arg(short = 'e')]
    pub(crate) cause_error: bool,

    /// Ask this question instead of the three, with one `?`, at its end; may
    /// be given several times
    #[arg(long, value_name = "TEXT", value_parser = parse_question)]
    question: Vec<String>,

    /// Stay silent for this long after connecting, then ask
    #[arg(
        long, value_name = "SECONDS", default_value = "0",
        hide_default_value = true, value_parser = parse_seconds
    )]
    pub(crate) silent: Duration,

    /// Pause between the bytes of a question
    #[arg(
        long, value_name = "MILLISECONDS", default_value = "0",
        hide_default_value = true, value_parser = parse_milliseconds
    )]
    pub(crate) slow: Duration,

    /// Hold N conversations, one after another
    #[arg(
        long, value_name = "N", default_value_t = 1,
        hide_default_value = true, value_parser = value_parser!(u32).range(1..)
    )]
    pub(crate) count: u32,

    /// Run N clients concurrently; each line begins with the client's number
    #[arg(
        long, value_name = "N", default_value_t = 1,
        hide_default_value = true, value_parser = value_parser!(u16).range(1..)
    )]
    pub(crate) clients: u16,

    /// Send what you type, as you type it, and show what arrives
    #[arg(
        long,
        conflicts_with_all = ["cause_error", "question", "count", "clients"]
    )]
    pub(crate) interactive: bool,
}

pub(crate) fn parse_command_line() -> Options {
    let mut options: Options = command_line::parse_command_line(
        "client that asks three questions (7-2, page 120)",
    );
    // A server that listens on every interface is reachable at this one.
    let host = &mut options.address.host;
    match host.as_str() {
        "" | "0.0.0.0" => *host = "127.0.0.1".into(),
        "::" => *host = "::1".into(),
        _ => {}
    }
    options
}

impl Options {
    // ANCHOR: questions
    /// The questions of one conversation.
    pub(crate) fn questions(&self) -> Vec<&[u8]> {
        let mut questions: Vec<&[u8]> =
            self.question.iter().map(String::as_bytes).collect();
        if questions.is_empty() {
            questions.extend(APHORISMS.map(|(question, _)| question));
            if !self.cause_error {
                // A new hasher has random keys, so this order is random.
                let random = RandomState::new();
                questions.sort_by_cached_key(|text| random.hash_one(text));
            }
        }
        questions
    }
    // ANCHOR_END: questions

    /// What each line of this client begins with.
    pub(crate) fn mark(&self, number: u16) -> String {
        match self.clients {
            1 => String::new(),
            _ => format!("{number}: "),
        }
    }
}

fn parse_question(text: &str) -> Result<String, String> {
    match text.find('?') {
        Some(at) if at + 1 == text.len() => Ok(text.into()),
        _ => Err("a question has one `?`, at its end; to send anything \
                  else, use --interactive"
            .into()),
    }
}
