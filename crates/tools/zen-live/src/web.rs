//! The page, and what it asks for. Another page in the same browser does not
//! know the token, and says in each request where it comes from.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY,
};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::poll_fn;
use tokio::sync::{mpsc, oneshot};
use tower_http::services::ServeDir;
use zen_harness::waiting::{COLOURS, State as Waiting};

use crate::stage::Order;

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// A line, such as a button asks for, has no more.
const LINE_BYTES_MAX: usize = 1024;

/// Messages that a page has not taken.
const MESSAGES_MAX: usize = 64;

/// Nothing from elsewhere. The book, whose pages have scripts, has none.
const POLICY: &str = "default-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Serves below `/TOKEN/`. The address is how this server is called.
pub(crate) fn router(
    orders: Sender<Order>,
    (address, token): (String, &str),
    book: &Path,
) -> Router {
    let page = || async { (named("text/html"), PAGE) };
    let style = || async { (named("text/css"), colours() + STYLE) };
    let script = || async { (named("text/javascript"), SCRIPT) };
    let none = get(|| async {
        "There is no such page, or the book is not built yet: run `cargo run \
         -p zen-book`, and try again.\n"
    });
    let inside = Router::new()
        .route("/page.css", get(style))
        .route("/page.js", get(script))
        .route("/events", get(events))
        .route("/state", get(look))
        .route("/do", post(perform))
        .with_state(orders)
        .layer(DefaultBodyLimit::max(LINE_BYTES_MAX))
        .nest_service("/book", ServeDir::new(book).not_found_service(none));
    Router::new()
        .route(&format!("/{token}/"), get(page))
        .nest(&format!("/{token}"), inside)
        .fallback(|| async {
            let what = "Open the address that zen-live has printed: it ends in \
                        a token.\n";
            (StatusCode::FORBIDDEN, what)
        })
        .layer(middleware::from_fn_with_state(Arc::new(address), guard))
}

fn named(kind: &str) -> [(HeaderName, String); 2] {
    [
        (CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY.into()),
    ]
}

/// Refuses another page's requests, and a name that leads here by mistake.
async fn guard(
    State(address): State<Arc<String>>,
    request: Request,
    next: Next,
) -> Response {
    let is_own = {
        let says = |name| Some(request.headers().get(name)?.as_bytes());
        let origin = format!("http://{address}");
        says(HOST) == Some(address.as_bytes())
            && says(ORIGIN).is_none_or(|it| it == origin.as_bytes())
    };
    if !is_own {
        return (StatusCode::FORBIDDEN, "Not from here.\n").into_response();
    }
    let referrer = [(REFERRER_POLICY, "no-referrer")];
    (referrer, next.run(request).await).into_response()
}

async fn events(State(orders): State<Sender<Order>>) -> impl IntoResponse {
    let (page, mut messages) = mpsc::channel::<Arc<str>>(MESSAGES_MAX);
    orders.send(Order::Watch(page)).ok();
    let event = |text| Ok::<_, Infallible>(Event::default().data(text));
    let events = poll_fn(move |context| {
        messages.poll_recv(context).map(|message| message.map(event))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// Gives an order, and waits for what comes of it.
async fn give<T>(
    orders: &Sender<Order>,
    order: impl FnOnce(oneshot::Sender<T>) -> Order,
) -> Result<T, (StatusCode, String)> {
    let (answer, answered) = oneshot::channel();
    orders.send(order(answer)).ok();
    let ending = (StatusCode::SERVICE_UNAVAILABLE, "It is ending.".into());
    answered.await.map_err(|_| ending)
}

async fn look(State(orders): State<Sender<Order>>) -> impl IntoResponse {
    let text = give(&orders, Order::Look).await;
    text.map(|text| (named("application/json"), text))
}

async fn perform(
    State(orders): State<Sender<Order>>,
    line: String,
) -> Result<(), (StatusCode, String)> {
    let done = give(&orders, |answer| Order::Do(line, answer)).await?;
    done.map_err(|why| (StatusCode::BAD_REQUEST, why))
}

/// The colours and hatches of all pictures of the book.
fn colours() -> String {
    let mut css = String::new();
    for [word, light, dark] in COLOURS {
        css += &format!(".{word} {{ --own: light-dark({light}, {dark}) }}\n");
    }
    for state in Waiting::all().filter(|it| !it.hatch().is_empty()) {
        let (word, lines) = (state.word(), state.hatch());
        css += &format!(
            ".{word} {{ --hatch: url(\"data:image/svg+xml,<svg xmlns='http:\
             //www.w3.org/2000/svg' width='8' height='8'><path d='{lines}' \
             stroke='black' stroke-width='1.3'/></svg>\") }}\n"
        );
    }
    css
}
