//! A small inetd before a server that does not listen: this very program, or
//! another one that has the same hidden subcommand, started once more.

use std::convert::Infallible;
use std::io;

use clap::Args;

use crate::server::PORT;

/// The name of the subcommand.
const NAME: &str = "inetd";

/// Its arguments.
#[derive(Args, Debug)]
pub struct Inetd {
    /// Where it listens
    #[arg(long)]
    port: u16,

    /// The program that gets each client
    #[arg(last = true, required = true)]
    words: Vec<String>,
}

/// The command that listens for a server which these words start.
///
/// # Errors
///
/// The system does not tell where this program is.
pub fn before(words: &[String]) -> io::Result<Vec<String>> {
    let own = std::env::current_exe()?.to_string_lossy().into_owned();
    let mut all = [&own, NAME, "--port", PORT, "--"].map(String::from).to_vec();
    all.extend_from_slice(words);
    Ok(all)
}

impl Inetd {
    /// Does its work.
    ///
    /// # Errors
    ///
    /// The port is taken, or the program cannot be started.
    pub fn serve(&self) -> io::Result<Infallible> {
        zen_check::inetd::serve(self.port, false, &self.words)
    }
}
