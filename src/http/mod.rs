//! The service's own pages: `/` (status), `/livez`, `/readyz`, `/metrics`.
//!
//! Read-only: no request changes anything, so there is no login; it listens on the loopback address unless configured
//! otherwise. Nothing is loaded from elsewhere and no script runs.

mod board;
mod page;

use std::fmt::Write;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::telemetry::{Gauge, Telemetry};

pub use board::{AlertStatus, Board, Commit, Condition, InputStatus, MailStatus, Status, Task};

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; choose another address or port with [http] listen, or stop what uses it")]
    Bind {
        /// Address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The listening socket failed.
    #[error("cannot serve the pages any more: {0}")]
    Serve(io::Error),
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on an address. With port 0 the system chooses one: see [`Server::address`].
    ///
    /// # Errors
    /// If the address is in use or not ours.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let failed = |reason| Error::Bind { address, reason };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` resolves, then finishes the requests under way.
    ///
    /// # Errors
    /// If the listening socket fails.
    pub async fn run(
        self,
        board: Board,
        telemetry: Telemetry,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let router = router(board, telemetry);
        axum::serve(self.listener, router).with_graceful_shutdown(stop).await.map_err(Error::Serve)
    }
}

#[derive(Clone, Debug)]
struct Shared {
    board: Board,
    telemetry: Telemetry,
}

fn router(board: Board, telemetry: Telemetry) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such page; try / /livez /readyz /metrics\n") })
        .with_state(Shared { board, telemetry })
}

async fn status_page(State(shared): State<Shared>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    (headers, page::render(&shared.board)).into_response()
}

async fn livez(State(shared): State<Shared>) -> Response {
    let stuck = shared.board.stuck();
    let text = stuck.iter().fold(String::new(), |mut text, (task, seconds)| {
        // Writing into a `String` cannot fail.
        match writeln!(text, "stuck: {} has not moved for {seconds} s", task.as_str()) {
            Ok(()) | Err(std::fmt::Error) => text,
        }
    });
    probe(&text, "live\n")
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let text = shared.board.missing().iter().fold(String::new(), |mut text, (condition, why)| {
        match writeln!(text, "not ready: {}: {}", condition.as_str(), why.replace(['\n', '\r'], " ")) {
            Ok(()) | Err(std::fmt::Error) => text,
        }
    });
    probe(&text, "ready\n")
}

fn probe(problems: &str, well: &'static str) -> Response {
    if problems.is_empty() {
        (StatusCode::OK, well).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, problems.to_owned()).into_response()
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let flag = |good: bool| if good { 1.0 } else { 0.0 };
    shared.telemetry.set(Gauge::Health, &["live"], flag(shared.board.stuck().is_empty()));
    shared.telemetry.set(Gauge::Health, &["ready"], flag(shared.board.missing().is_empty()));
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], shared.telemetry.render()).into_response()
}

#[cfg(test)]
mod tests;
