//! The command line and the environment.

use std::sync::LazyLock;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::faults::shape_of;

/// How the server waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    EventLoop,
    Single,
    Pool,
    Threads,
    Processes,
}

/// A server that keeps the contract, or makes one mistake
#[derive(Debug, Parser)]
pub(crate) struct Settings {
    /// TCP port on 127.0.0.1
    #[arg(short, long, env = "ZEN_PORT", default_value_t = 1060)]
    pub(crate) port: u16,

    /// Seconds after which an idle client is dropped; 0 is never
    #[arg(long, env = "ZEN_IDLE_TIMEOUT", default_value = "0")]
    #[arg(value_parser = |text: &str| time(text, 1.0))]
    pub(crate) idle_timeout: Duration,

    /// Milliseconds that each answer takes
    #[arg(long, env = "ZEN_THINK", default_value = "0")]
    #[arg(value_parser = |text: &str| time(text, 0.001))]
    pub(crate) think: Duration,

    /// How it waits [default: as the mistake needs it, or in an event loop]
    #[arg(long)]
    shape: Option<Shape>,

    /// The mistake that it makes
    #[arg(long, value_parser = fault)]
    pub(crate) fault: Option<String>,

    /// List the mistakes
    #[arg(long)]
    pub(crate) list: bool,
}

impl Settings {
    pub(crate) fn shape(&self) -> Shape {
        let of_fault = self.fault.as_deref().and_then(shape_of);
        let of_fault = of_fault.and_then(|it| Shape::from_str(it, false).ok());
        self.shape.or(of_fault).unwrap_or(Shape::EventLoop)
    }
}

/// What the environment said, unless the command line said something else.
pub(crate) fn settings() -> &'static Settings {
    static SETTINGS: LazyLock<Settings> = LazyLock::new(Settings::parse);
    &SETTINGS
}

fn time(text: &str, unit: f64) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number")?;
    Duration::try_from_secs_f64(number * unit).map_err(|err| err.to_string())
}

fn fault(name: &str) -> Result<String, &'static str> {
    shape_of(name).map(|_| name.into()).ok_or("see --list")
}
