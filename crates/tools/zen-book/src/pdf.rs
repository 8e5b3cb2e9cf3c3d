//! Prints the book into a PDF file, with a browser that is installed.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use zen_harness::process::Process;

const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// There are a few hundred pages, and a busy machine takes minutes for them.
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) fn print(html: &Path) -> Result<()> {
    let file = html.join("book.pdf");
    let browser = BROWSERS.into_iter().find_map(|browser| {
        let mut command = Command::new(browser);
        // The page is ours; and root can start it only without its sandbox.
        command
            .args(["--headless", "--no-sandbox", "--no-pdf-header-footer"])
            .arg("--generate-pdf-document-outline")
            .arg(format!("--print-to-pdf={}", file.display()))
            .arg(html.join("print.html"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Process::spawn(&mut command).ok()
    });
    let mut browser = browser.context(
        "no browser found that prints: install Chromium (on Debian and \
         Ubuntu: `apt install chromium`) or Google Chrome",
    )?;
    let status = browser.wait(PATIENCE)?;
    ensure!(status.is_some_and(|it| it.success()), "the browser has failed");
    println!("{}", file.display());
    Ok(())
}
