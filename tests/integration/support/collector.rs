//! An OpenTelemetry collector that remembers what it was sent: OTLP over HTTP, on a free port of 127.0.0.1.
//!
//! It takes whatever comes and reads nothing of it. Its threads end with the test program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was sent: the path and the whole request, head and body.
type Requests = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A running collector.
pub(crate) struct Collector {
    endpoint: String,
    requests: Requests,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Requests::default();
        let kept = Arc::clone(&requests);
        let accept = move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                spawn(move || while take(&connection, &kept).is_some() {});
            }
        };
        spawn(accept);
        Self { endpoint, requests }
    }

    /// Its address, as `otlp_endpoint` takes it.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// All requests to a path so far, one after the other.
    pub(crate) fn sent_to(&self, path: &str) -> Vec<u8> {
        let requests = self.requests.lock().expect("connections do not panic");
        requests.iter().filter(|(to, _)| to == path).flat_map(|(_, request)| request.clone()).collect()
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().name("collector".to_owned()).spawn(work).expect("threads can be started");
}

/// Keeps one request and answers it, unless the connection ends.
fn take(connection: &TcpStream, kept: &Requests) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut request = String::new();
    let mut length = 0;
    loop {
        let from = request.len();
        reader.read_line(&mut request).ok().filter(|read| *read > 0)?;
        let line = request.get(from..)?.trim();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = request.split(' ').nth(1)?.to_owned();
    // Kept before it is answered: once the service has its answer, the request is here.
    kept.lock().ok()?.push((path, [request.as_bytes(), &body].concat()));
    (&mut &*connection).write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()
}
