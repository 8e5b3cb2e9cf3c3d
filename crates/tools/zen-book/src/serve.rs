//! A small server for the book, on the loopback address. It watches nothing:
//! when a page is asked for, it looks whether anything has changed since the
//! book was built, and builds it again.

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::html::{self, BOOK};

/// Serves until it is interrupted.
pub(crate) fn serve(port: u16, open: bool) -> Result<()> {
    let mut built = SystemTime::now();
    let html = html::build()?;
    let server = Server::http(("127.0.0.1", port))
        .map_err(|err| anyhow!("cannot listen on 127.0.0.1:{port}: {err}"))?;
    let address = format!("http://{}", server.server_addr());
    println!("The book is at {address}");
    if open {
        opener::open_browser(&address)?;
    }
    for request in server.incoming_requests() {
        if is_page(request.url()) && changed_since(built) {
            built = SystemTime::now();
            match html::build() {
                Ok(_) => println!("built again"),
                Err(err) => eprintln!("zen-book: {err:#}"),
            }
        }
        // A browser that goes away in between is no harm.
        if let Err(err) = answer(&html, request) {
            eprintln!("zen-book: {err}");
        }
    }
    Ok(())
}

fn answer(html: &Path, request: Request) -> std::io::Result<()> {
    let found = file_of(html, request.url()).and_then(|path| {
        let file = File::open(&path).ok()?;
        file.metadata().ok()?.is_file().then_some((path, file))
    });
    match found {
        _ if !matches!(request.method(), Method::Get | Method::Head) => {
            request.respond(Response::empty(StatusCode(405)))
        }
        None => {
            let page = fs::read(html.join("404.html")).unwrap_or_default();
            let response = Response::from_data(page);
            request.respond(
                response
                    .with_header(content_type(Path::new("404.html")))
                    .with_status_code(404),
            )
        }
        Some((path, file)) => request.respond(
            Response::from_file(file).with_header(content_type(&path)),
        ),
    }
}

fn is_page(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.ends_with('/') || path.ends_with(".html")
}

/// The file that is meant, which is never outside the book's folder: mdBook
/// uses plain names, so whatever else a path may hold is not there.
fn file_of(html: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.strip_prefix('/')?;
    let relative = Path::new(if path.is_empty() { "index.html" } else { path });
    relative
        .components()
        .all(|it| matches!(it, Component::Normal(_)))
        .then(|| html.join(relative))
}

fn content_type(path: &Path) -> Header {
    let end = path.extension().and_then(|end| end.to_str());
    let kind = match end.unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    Header::from_bytes("Content-Type", kind).expect("plain ASCII")
}

/// Whether a file that the book is made of is newer: a page, a figure, a
/// transcript, or a listing.
fn changed_since(built: SystemTime) -> bool {
    let book = Path::new(BOOK);
    let book_parts = fs::read_dir(book).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = book_parts.map(|it| it.path()).collect();
    parts.retain(|it| !it.ends_with("book"));
    parts.push(book.join("../crates"));
    parts.iter().any(|part| is_newer(part, built))
}

fn is_newer(path: &Path, than: SystemTime) -> bool {
    let Ok(about) = fs::metadata(path) else { return false };
    if !about.is_dir() {
        return about.modified().is_ok_and(|changed| changed > than);
    }
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    inside.map(|it| it.path()).any(|path| is_newer(&path, than))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_book() {
        let html = Path::new("html");
        for url in ["/../Cargo.toml", "/a/../../b", "//etc/passwd", "x", ""] {
            assert_eq!(file_of(html, url), None, "{url}");
        }
        assert_eq!(file_of(html, "/"), Some(html.join("index.html")));
        assert_eq!(file_of(html, "/a.css?b#c"), Some(html.join("a.css")));
    }
}
