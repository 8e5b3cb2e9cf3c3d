//! The command line and the environment, read by hand.

use std::env;
use std::sync::OnceLock;
use std::time::Duration;

use crate::faults::{self, Fault};

/// How the server waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    EventLoop,
    Single,
    Pool,
    Threads,
    Processes,
}

const SHAPES: [(&str, Shape); 5] = [
    ("event-loop", Shape::EventLoop),
    ("single", Shape::Single),
    ("pool", Shape::Pool),
    ("threads", Shape::Threads),
    ("processes", Shape::Processes),
];

impl Shape {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        let known = SHAPES.iter().find(|(_, shape)| *shape == self);
        known.map_or("", |(name, _)| name)
    }
}

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) port: u16,
    /// Zero is forever.
    pub(crate) idle: Duration,
    pub(crate) think: Duration,
    pub(crate) shape: Shape,
    pub(crate) fault: Option<Fault>,
}

pub(crate) enum Command {
    Serve,
    List,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// What the command line said, and the defaults before it has been read.
pub(crate) fn settings() -> &'static Settings {
    SETTINGS.get_or_init(defaults)
}

fn defaults() -> Settings {
    Settings {
        port: 1060,
        idle: Duration::ZERO,
        think: Duration::ZERO,
        shape: Shape::EventLoop,
        fault: None,
    }
}

/// Reads the environment first, so that the command line wins.
pub(crate) fn from_command_line() -> Result<Command, String> {
    let mut settings = defaults();
    let mut shape = None;
    let variables = [
        ("ZEN_PORT", "--port"),
        ("ZEN_IDLE_TIMEOUT", "--idle-timeout"),
        ("ZEN_THINK", "--think"),
    ];
    for (variable, option) in variables {
        let value = env::var(variable).unwrap_or_default();
        if !value.is_empty() {
            set(&mut settings, &mut shape, option, &value)?;
        }
    }
    let mut arguments = env::args().skip(1);
    while let Some(option) = arguments.next() {
        if option == "--list" {
            return Ok(Command::List);
        }
        let value = arguments.next().ok_or(format!("{option}: no value"))?;
        set(&mut settings, &mut shape, &option, &value)?;
    }
    // Without a word about it, the shape in which the fault is made.
    let of_fault = settings.fault.map_or(Shape::EventLoop, Fault::shape);
    settings.shape = shape.unwrap_or(of_fault);
    SETTINGS.set(settings).map_err(|_| "read twice")?;
    Ok(Command::Serve)
}

fn set(
    settings: &mut Settings,
    shape: &mut Option<Shape>,
    option: &str,
    value: &str,
) -> Result<(), String> {
    let wrong = || format!("{option}: not so: {value:?}");
    let number = |unit: f64| {
        let number: f64 = value.parse().map_err(|_| wrong())?;
        Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
    };
    match option {
        "-p" | "--port" => {
            settings.port = value.parse().map_err(|_| wrong())?;
        }
        "--idle-timeout" => settings.idle = number(1.0)?,
        "--think" => settings.think = number(0.001)?,
        "--shape" => {
            let found = SHAPES.iter().find(|(name, _)| *name == value);
            *shape = Some(found.ok_or_else(wrong)?.1);
        }
        "--fault" => {
            let found = faults::ALL.iter().find(|(name, ..)| *name == value);
            settings.fault = Some(found.ok_or_else(wrong)?.1);
        }
        _ => return Err(format!("no such option: {option}")),
    }
    Ok(())
}
