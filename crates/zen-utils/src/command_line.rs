//! The command line, which is the same for every server. Each option can also
//! come from the environment (page 116).

use std::env;
use std::fmt;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Command};

/// Where to listen, or where to connect to.
#[derive(Args, Clone, Debug)]
pub struct Address {
    /// IP address or name; '' means every IPv4 interface
    #[arg(default_value = "127.0.0.1", env = "ZEN_HOST")]
    pub host: String,

    /// TCP port; 0 lets the system choose one
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

/// The command line of a server. `Own` holds the options of one listing.
#[derive(Args, Clone, Debug)]
pub struct Options<Own: Args = NoOptions> {
    /// Where to listen.
    #[command(flatten)]
    pub address: Address,

    /// How many connections may wait to be accepted (limited by the system)
    #[arg(
        long, value_name = "N", default_value_t = 4096, env = "ZEN_BACKLOG",
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    pub backlog: i32,

    /// How long clients and answers may take.
    #[command(flatten)]
    pub timing: Timing,

    /// The options of this listing.
    #[command(flatten)]
    pub own: Own,

    /// Do not log single clients
    #[arg(
        short, long, env = "ZEN_QUIET",
        value_parser = FalseyValueParser::new()
    )]
    pub quiet: bool,
}

/// How long clients and answers may take.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Disconnect a client that completes no question, or leaves its answers
    /// unread, for this long (0 = never)
    #[arg(
        long, value_name = "SECONDS", default_value = "0",
        env = "ZEN_IDLE_TIMEOUT", value_parser = parse_idle_timeout
    )]
    // clap would take a plain `Option` for an option without a value.
    pub idle_timeout: std::option::Option<Duration>,

    /// Time it takes to work out an answer (page 118)
    #[arg(
        long, value_name = "MILLISECONDS", default_value = "0",
        env = "ZEN_THINK", value_parser = parse_milliseconds
    )]
    pub think: Duration,
}

/// For a listing without options of its own.
#[derive(Args, Clone, Copy, Debug)]
pub struct NoOptions {}

/// No limit on the number of clients.
const NO_LIMIT: usize = usize::MAX;

/// For a listing in which the number of clients decides how many threads,
/// processes or connections there are.
#[derive(Args, Clone, Copy, Debug)]
pub struct MaxClients<const DEFAULT: usize = NO_LIMIT> {
    /// Serve at most N clients at once; the others wait
    #[arg(
        long, value_name = "N", env = "ZEN_MAX_CLIENTS",
        value_parser = parse_max_clients, default_value_t = DEFAULT,
        hide_default_value = DEFAULT == NO_LIMIT
    )]
    pub max_clients: usize,
}

/// Parses the command line and the environment. The command line wins, and an
/// empty variable counts as not set.
///
/// Ends the process with status 0 after `-h` or `-V`, and with a message and
/// status 2 if the command line is wrong.
#[must_use]
// ANCHOR: parse_command_line
pub fn parse_command_line<T: Args>(description: &'static str) -> T {
    // about() must come after augment_args(), which overwrites it.
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

/// The name by which this program was started, without the folder.
#[must_use]
pub fn program_name() -> &'static str {
    let path = env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&path).file_stem().unwrap_or_default();
    // Called once or twice while a program runs.
    name.to_string_lossy().into_owned().leak()
}

/// 0 means never, that is, `None`.
fn parse_idle_timeout(text: &str) -> Result<Option<Duration>, String> {
    parse_seconds(text).map(|time| Some(time).filter(|time| !time.is_zero()))
}

/// Parses a number of seconds, such as `2` or `0.5`.
///
/// # Errors
///
/// A message for the user.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| "not a number of seconds from 0 to 1e19".into())
}

/// Parses a whole number of milliseconds, at most 49 days of them.
///
/// # Errors
///
/// A message for the user.
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
