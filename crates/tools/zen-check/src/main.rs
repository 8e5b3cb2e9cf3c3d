//! `zen-check`: checks any server, in any language, against the contract.
//!
//! ```sh
//! zen-check -- python3 server.py {port}
//! ```

mod command_line;
mod matrix;

use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use zen_harness::process::{self, Process};
use zen_harness::{inetd, system, workspace};

use command_line::{Options, What};
use zen_check::report::{self, Format, Level, Profile, Report, Settings};
use zen_check::{Dialect, Plan, Program};

fn main() -> ExitCode {
    inetd::be_it_if_told();
    let options = Options::parse();
    system::take_servers_along();
    // Elsewhere a daemon goes on, as the book's page says.
    system::adopt_orphans().ok();
    let status = obey(&options);
    process::kill_orphans();
    status
}

fn obey(options: &Options) -> ExitCode {
    match &options.what {
        Some(What::Matrix(matrix)) => return exit(matrix::run(matrix), false),
        Some(What::Where { packages }) => return exit(place(packages), false),
        None => {}
    }
    if !options.list && options.command.is_empty() && options.connect.is_none()
    {
        let wants = "give either `-- COMMAND` or --connect HOST:PORT";
        Options::command()
            .error(ErrorKind::MissingRequiredArgument, wants)
            .exit();
    }
    exit(run(options), options.exit_zero)
}

fn exit(result: Result<u8, String>, exit_zero: bool) -> ExitCode {
    match result {
        Ok(1) if exit_zero => ExitCode::SUCCESS,
        Ok(status) => ExitCode::from(status),
        Err(message) => {
            let mut errors = io::stderr().lock();
            writeln!(errors, "zen-check: {message}").ok();
            ExitCode::from(2)
        }
    }
}

/// Does what it is told, and returns the exit status.
fn run(options: &Options) -> Result<u8, String> {
    if let [word, ..] = &zen_check::unknown(&options.case)[..] {
        return Err(format!("no case is called {word:?}: see --list"));
    }
    if options.list {
        return list(options).map(|()| 0);
    }
    let program = program(options)?;
    // Open every report first: a run takes minutes.
    let mut reports = open(options)?;
    if let Some(command) = &options.build {
        build(command, Duration::from_secs(options.build_time))?;
    }
    let plan = Plan {
        only: options.case.clone(),
        jobs: options.jobs,
        time_max: Duration::from_secs(options.time),
        observe: !options.fast && options.case.is_empty(),
        ..Plan::default()
    };
    let report = examine(program, &options.subject(), &plan);
    for (format, file) in &mut reports {
        write(&report, *format, file, options)?;
    }
    Ok(report.exit_status())
}

fn examine(program: Program, name: &str, plan: &Plan) -> Report {
    report::with_progress(|watch| {
        zen_check::examine(program, name, plan, watch)
    })
}

/// Prints on standard output, whose reader may have gone after the first
/// lines.
fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => {
            Err(err.to_string())
        }
        _ => Ok(()),
    }
}

/// The cases that the same command line without `--list` would put.
fn list(options: &Options) -> Result<(), String> {
    let dialect = options.dialect.map(Dialect::new);
    let mut text = dialect.map_or_else(String::new, |it| it.page() + "\n");
    for (clause, sentence, level) in
        zen_check::list(options.profile(), &options.case)
    {
        let level = match level {
            Level::Must => "must",
            Level::Should => "should",
        };
        text += &format!("{clause:15} {level:7} {sentence}\n");
    }
    print(&text)
}

fn program(options: &Options) -> Result<Program, String> {
    let (profile, architecture) = (options.profile(), options.architecture);
    let mut program = if let Some(address) = &options.connect {
        if profile == Profile::Listing {
            return Err("the log of a running server cannot be read: use \
                --profile server or wire"
                .into());
        }
        Program::running(address_of(address, options)?, profile, architecture)
    } else if profile == Profile::Listing {
        let Some(architecture) = architecture else {
            return Err("--profile listing needs --architecture".into());
        };
        if options.command.iter().any(|word| word.contains('{')) {
            return Err("a listing's COMMAND has no {port} and no {options}: \
                all options are appended to it"
                .into());
        }
        Program::listing(options.command.clone(), architecture)
    } else {
        Program::command(options.command.clone(), profile, architecture)
    };
    let seed = options.seed.unwrap_or_else(zen_check::seed_of_now);
    let start_time_max = Duration::from_secs(options.start_time);
    let dialect = options.dialect.map_or_else(Dialect::default, Dialect::new);
    program.dialect = Arc::new(dialect);
    (program.seed, program.start_time_max) = (seed, start_time_max);
    Ok(program)
}

/// An address that may be spoken to.
fn address_of(text: &str, options: &Options) -> Result<SocketAddr, String> {
    let addresses = text.to_socket_addrs();
    let addresses = addresses.map_err(|err| format!("{text}: {err}"))?;
    // A server that listens at one address of a name may not at another.
    let addresses: Vec<_> = addresses.collect();
    let answers = addresses.iter().find(|address| {
        let second = Duration::from_secs(1);
        address.ip().is_loopback() && system::connect(**address, second).is_ok()
    });
    let Some(address) = answers.or(addresses.first()) else {
        return Err(format!("{text} has no address"));
    };
    if !address.ip().is_loopback() && !options.allow_remote {
        return Err(format!(
            "{address} is not loopback: add --allow-remote if you have \
            permission"
        ));
    }
    Ok(*address)
}

/// Builds programs of the workspace, and prints where Cargo has put them.
fn place(packages: &[String]) -> Result<u8, String> {
    let here = std::env::current_dir().map_err(|err| err.to_string())?;
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    let programs = workspace::build(&here, &packages, "dev", None)?;
    for package in packages {
        print(&format!("{}\n", programs[package].display()))?;
    }
    Ok(0)
}

/// Builds the server; its compiler speaks for itself.
fn build(command: &str, time_max: Duration) -> Result<(), String> {
    let (shell, flag) =
        if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut build = Command::new(shell);
    build.args([flag, command]).stdin(Stdio::null());
    let ended = Process::spawn(&mut build)
        .and_then(|mut it| it.wait(time_max))
        .map_err(|err| err.to_string())?;
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{command}: {status}")),
        None => Err(format!("{command}: did not end within {time_max:?}")),
    }
}

type Reports = Vec<(Format, Box<dyn Write>)>;

fn open(options: &Options) -> Result<Reports, String> {
    let usual = [(Format::Terminal, "-".to_string())];
    let reports = match &options.report[..] {
        [] => &usual,
        reports => reports,
    };
    let open = |(format, file): &(Format, String)| {
        let to: Box<dyn Write> = match file.as_str() {
            "-" => Box::new(io::stdout()),
            file => Box::new(
                File::create(file).map_err(|err| format!("{file}: {err}"))?,
            ),
        };
        Ok((*format, to))
    };
    reports.iter().map(open).collect()
}

fn write(
    report: &Report,
    format: Format,
    to: &mut dyn Write,
    options: &Options,
) -> Result<(), String> {
    let colour =
        report::is_for_a_terminal() && std::env::var_os("NO_COLOR").is_none();
    let settings = Settings { colour, all: options.all, ..Settings::default() };
    match report::write(report, format, to, &settings) {
        // Its reader may have gone after the first lines.
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|err| format!("the report {format}: {err}")),
    }
}
