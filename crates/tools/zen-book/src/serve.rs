//! A small server for the book, on the loopback address. It watches no files:
//! for each page it checks whether anything has changed since the last build,
//! and if so builds the book again.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::net::TcpListener;
use tower_http::services::{ServeDir, ServeFile};

use crate::html;

static BUILT: Mutex<SystemTime> = Mutex::new(SystemTime::UNIX_EPOCH);

/// Serves until it is interrupted.
pub(crate) fn serve(port: u16, open: bool) -> Result<()> {
    *BUILT.lock().expect("nothing panics there") = SystemTime::now();
    let html = html::build(true)?;
    let files = ServeDir::new(&html)
        .not_found_service(ServeFile::new(html.join("404.html")));
    let app = Router::new()
        .fallback_service(files)
        .layer(middleware::from_fn(build_again));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
        let address = format!("http://{}", listener.local_addr()?);
        println!("The book is at {address}");
        if open {
            opener::open_browser(&address)?;
        }
        Ok(axum::serve(listener, app).await?)
    })
}

/// Builds the book if a page is requested and anything has changed. Blocking is
/// fine here: there is only one reader.
async fn build_again(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.ends_with('/') || path.ends_with(".html") {
        let mut built = BUILT.lock().expect("nothing panics there");
        if changed_since(*built) {
            *built = SystemTime::now();
            match html::build(true) {
                Ok(_) => println!("built again"),
                Err(err) => eprintln!("zen-book: {err:#}"),
            }
        }
    }
    next.run(request).await
}

/// Whether a source of the book is newer than this: a page, a figure, a
/// transcript, or a listing.
fn changed_since(built: SystemTime) -> bool {
    let book = html::book();
    let book_parts = fs::read_dir(&book).into_iter().flatten().flatten();
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
