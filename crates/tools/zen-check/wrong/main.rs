//! `zen-wrong`: the server with which the checker itself is checked.
//!
//! By itself it keeps the contract. With `--fault NAME` it makes one mistake,
//! such as students make, and makes it where they do: look for
//! `faulty("name")`. It shares no code with the servers of this project,
//! and none with the checker: a mistake that they had in common would be seen
//! by neither.
//!
//! ```text
//! faults      the list of mistakes
//! framing     bytes in, questions and answers out
//! talk        one conversation, whatever waits for it
//! event_loop  one thread that waits for all conversations at once
//! blocking    a thread or a process that waits for one
//! system      sockets and poll(2)
//! process     signals and fork(2)
//! ```
//!
//! Beside it stand two servers in Python, written as students write them, with
//! whatever such servers get wrong by themselves.
//!
//! ```sh
//! cargo run -p zen-check --bin zen-wrong -- --port 1060 --fault greets
//! ```

#[cfg(unix)]
mod blocking;
#[cfg(unix)]
mod event_loop;
#[cfg(unix)]
mod faults;
#[cfg(unix)]
mod framing;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod settings;
#[cfg(unix)]
mod system;
#[cfg(unix)]
mod talk;

use std::io::Write;
use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    let settings = settings::settings();
    if settings.list {
        // The reader may have gone.
        write!(std::io::stdout(), "{}", faults::LIST).ok();
        return ExitCode::SUCCESS;
    }
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message, 1),
    }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    failed("it makes the mistakes of Unix, and runs nowhere else", 2)
}

fn failed(message: &str, status: u8) -> ExitCode {
    // If standard error cannot be written to, nothing can be said about it.
    writeln!(std::io::stderr(), "zen-wrong: {message}").ok();
    ExitCode::from(status)
}

#[cfg(unix)]
fn serve(settings: &settings::Settings) -> Result<(), String> {
    use faults::faulty;
    use settings::Shape;
    let cannot = |err: std::io::Error| {
        let reason = err.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        format!("cannot listen on 127.0.0.1:{}: {reason}", settings.port)
    };
    let no_file = || Err("cannot read zen.conf".to_string());
    if faulty("dies-before-listening") {
        return no_file();
    }
    let stop = process::catch_signals().map_err(|err| err.to_string())?;
    let listener = system::listen(settings.port).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    // The reader may have gone.
    writeln!(std::io::stdout(), "Listening at {address}").ok();
    if faulty("dies-after-listening") {
        return no_file();
    }
    if faulty("floods-its-output") {
        let line = "Nothing has happened\n".repeat(100);
        std::thread::spawn(move || {
            while std::io::stdout().write_all(line.as_bytes()).is_ok() {}
        });
    }
    let served = match settings.shape() {
        Shape::EventLoop => event_loop::serve(listener, &stop),
        Shape::Single => blocking::pool(&listener, &stop, 1),
        Shape::Pool => blocking::pool(&listener, &stop, 4),
        Shape::Threads => blocking::threads(&listener, &stop),
        Shape::Processes => blocking::processes(listener, &stop),
    };
    served.map_err(|err| err.to_string())
}
