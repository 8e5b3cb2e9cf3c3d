//! The page, and what it asks for. Another page in the same browser does not
//! know the token, and says in each request where it comes from.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_core::Stream;
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

/// Nothing from elsewhere; the pages of the book have scripts in them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src data:; connect-src 'self'; base-uri 'none'; \
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

fn named(kind: &str) -> [(HeaderName, String); 3] {
    [
        (CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, POLICY.into()),
        (CACHE_CONTROL, "no-store".into()),
    ]
}

/// Refuses another page's requests, and a name that leads here by mistake.
async fn guard(
    State(address): State<Arc<String>>,
    request: Request,
    next: Next,
) -> Response {
    if !is_own(request.headers(), &address) {
        return (StatusCode::FORBIDDEN, "Not from here.\n").into_response();
    }
    let referrer = [(REFERRER_POLICY, "no-referrer")];
    (referrer, next.run(request).await).into_response()
}

fn is_own(headers: &HeaderMap, address: &str) -> bool {
    let says = |name: HeaderName| {
        headers.get(name).map(|it| it.to_str().unwrap_or_default())
    };
    let origin = format!("http://{address}");
    says(HOST) == Some(address) && says(ORIGIN).is_none_or(|it| it == origin)
}

/// What the stage sends to one page.
struct Messages(mpsc::Receiver<Arc<str>>);

impl Stream for Messages {
    type Item = Result<Event, Infallible>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        let message = self.0.poll_recv(context);
        message.map(|it| it.map(|text| Ok(Event::default().data(text))))
    }
}

async fn events(State(orders): State<Sender<Order>>) -> impl IntoResponse {
    let (page, messages) = mpsc::channel(MESSAGES_MAX);
    orders.send(Order::Watch(page)).ok();
    Sse::new(Messages(messages)).keep_alive(KeepAlive::default())
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
    let colour = |it: &[&str; 3]| {
        let [word, light, dark] = it;
        format!("--{word}: light-dark({light}, {dark});")
    };
    let all: String = COLOURS.iter().map(colour).collect();
    let mut css = format!(":root {{ {all} }}\n");
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
