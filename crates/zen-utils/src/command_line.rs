//! The command line, the same for every server (page 116: each option can
//! also come from the environment).

use std::env;
use std::fmt;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Command};

/// Where to listen, or where to connect to.
#[derive(Args, Clone, Debug)]
pub struct Address {
    /// IP address or name; '' is every IPv4 interface
    #[arg(default_value = "127.0.0.1", env = "ZEN_HOST")]
    pub host: String,

    /// TCP port; 0 lets the system pick one
    #[arg(short, long, default_value_t = 1060, env = "ZEN_PORT")]
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_str() {
            "" => write!(f, "0.0.0.0:{}", self.port),
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// The command line of a server; `Own` is what one listing adds to it.
#[derive(Args, Clone, Debug)]
pub struct Options<Own: Args = NoOptions> {
    /// Where to listen.
    #[command(flatten)]
    pub address: Address,

    /// How many connections may wait to be accepted (the system caps it)
    #[arg(
        long, value_name = "N", default_value_t = 4096, env = "ZEN_BACKLOG",
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    pub backlog: i32,

    /// What every conversation is held to.
    #[command(flatten)]
    pub timing: Timing,

    /// What this listing adds.
    #[command(flatten)]
    pub own: Own,

    /// Print no line about a single client
    #[arg(
        short, long, env = "ZEN_QUIET",
        value_parser = FalseyValueParser::new()
    )]
    pub quiet: bool,
}

/// How long things may take.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Drop a client that for so long completes no question, or does not take
    /// its answers; 0: never
    #[arg(
        long, value_name = "SECONDS", default_value = "0",
        env = "ZEN_IDLE_TIMEOUT", value_parser = parse_idle_timeout
    )]
    // Spelled out, so that clap takes it as a value, not as an optional one.
    pub idle_timeout: std::option::Option<Duration>,

    /// How long an answer takes to work out (page 118)
    #[arg(
        long, value_name = "MILLISECONDS", default_value = "0",
        env = "ZEN_THINK", value_parser = parse_milliseconds
    )]
    pub think: Duration,
}

/// For a listing that adds nothing to the command line.
#[derive(Args, Clone, Copy, Debug)]
pub struct NoOptions {}

/// Without a limit.
const NO_LIMIT: usize = usize::MAX;

/// For a listing in which the clients decide how many of something there are.
#[derive(Args, Clone, Copy, Debug)]
pub struct MaxClients<const DEFAULT: usize = NO_LIMIT> {
    /// Serve so many clients at once; others wait
    #[arg(
        long, value_name = "N", env = "ZEN_MAX_CLIENTS",
        value_parser = parse_max_clients, default_value_t = DEFAULT,
        hide_default_value = DEFAULT == NO_LIMIT
    )]
    pub max_clients: usize,
}

/// Parses the command line and the environment; the command line wins, and a
/// variable set to nothing counts as not set.
///
/// Prints what clap has to say and ends the process, with status 0 for `-h`
/// and `-V` and 2 for a mistake.
#[must_use]
// ANCHOR: parse_command_line
pub fn parse_command_line<T: Args>(description: &'static str) -> T {
    // After augment_args(), which would overwrite what we say about it.
    let command = T::augment_args(Command::new(program_name()))
        .about(description)
        .version(env!("CARGO_PKG_VERSION"))
        .mut_args(|arg| match arg.get_env().map(env::var_os) {
            Some(Some(value)) if value.is_empty() => arg.env(None),
            _ => arg,
        });
    T::from_arg_matches(&command.get_matches()).unwrap_or_else(|e| e.exit())
}
// ANCHOR_END: parse_command_line

/// The name under which this program was started, without its folder.
#[must_use]
pub fn program_name() -> &'static str {
    let path = env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&path).file_stem().unwrap_or_default();
    // Once or twice in the life of a program.
    name.to_string_lossy().into_owned().leak()
}

/// 0 is never, that is `None`.
fn parse_idle_timeout(text: &str) -> Result<Option<Duration>, String> {
    parse_seconds(text).map(|time| Some(time).filter(|time| !time.is_zero()))
}

/// Parses a number of seconds, which may have a fraction.
///
/// # Errors
///
/// A sentence for the user.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| "not a number of seconds that can be waited for".into())
}

/// Parses a whole number of milliseconds, at most 49 days of them.
///
/// # Errors
///
/// A sentence for the user.
pub fn parse_milliseconds(text: &str) -> Result<Duration, String> {
    let milliseconds: u32 =
        text.parse().map_err(|_| "not a whole number of milliseconds")?;
    Ok(Duration::from_millis(milliseconds.into()))
}

fn parse_max_clients(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("not a number of clients, 1 or more".into()),
        Ok(n) => Ok(n),
    }
}
