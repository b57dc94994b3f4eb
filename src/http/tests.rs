use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::event::Timestamp;
use crate::telemetry::Counter;

const NOW: i64 = 1_700_000_000 * Timestamp::SECOND_US;

fn board() -> (Board, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(NOW));
    let reading = clock.clone();
    (Board::new(move || Timestamp(reading.load(Ordering::Relaxed))), clock)
}

/// Serves one request and returns the whole response.
async fn request(board: &Board, telemetry: &Telemetry, request: &str) -> String {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serve = server.run(board.clone(), telemetry.clone(), async {
        stopped.await.ok();
    });
    let ask = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        stop.send(()).unwrap();
        response
    };
    let (served, response) = tokio::join!(serve, ask);
    served.unwrap();
    response
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let (board, _) = board();
    let telemetry = Telemetry::new();
    let response = request(&board, &telemetry, "GET /readyz").await;
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(response.contains("not ready: source: not reached since the start"), "{response}");
    for condition in Condition::ALL {
        board.met(condition);
    }
    assert!(request(&board, &telemetry, "GET /readyz").await.starts_with("HTTP/1.1 200"));
    board.unmet(Condition::Lake, "disk full");
    let response = request(&board, &telemetry, "GET /readyz").await;
    assert!(response.ends_with("not ready: lake: disk full\n"), "{response}");
}

#[tokio::test]
async fn liveness_is_lost_when_a_loop_stops_turning() {
    let (board, clock) = board();
    let telemetry = Telemetry::new();
    board.beat(Task::Ingest);
    board.beat(Task::Send);
    clock.fetch_add(119 * Timestamp::SECOND_US, Ordering::Relaxed);
    board.beat(Task::Send);
    assert!(request(&board, &telemetry, "GET /livez").await.starts_with("HTTP/1.1 200"));
    clock.fetch_add(2 * Timestamp::SECOND_US, Ordering::Relaxed);
    let response = request(&board, &telemetry, "GET /livez").await;
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(response.ends_with("stuck: ingest has not moved for 121 s\n"), "{response}");
    board.rest(Task::Ingest);
    assert!(request(&board, &telemetry, "GET /livez").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let (board, _) = board();
    let telemetry = Telemetry::new();
    telemetry.add(Counter::Epochs, &["committed"], 2);
    let response = request(&board, &telemetry, "GET /metrics").await;
    assert!(response.contains("content-type: text/plain; version=0.0.4"), "{response}");
    assert!(response.contains("groundwire_epochs_total{result=\"committed\"} 2\n"), "{response}");
    assert!(response.contains("groundwire_health{probe=\"ready\"} 0\n"), "{response}");
}

fn busy(status: &mut Status) {
    let ago = |seconds: i64| Timestamp(NOW - seconds * Timestamp::SECOND_US);
    status.instance = "groundwire-1".into();
    status.started_at = ago(93_784);
    status.rules = 14;
    for (topic, partition, lag) in
        [("gateway-logs", 0, 12), ("gateway-logs", 1, 1_204_310), ("pipeline-events", 0, 0), ("user-feedback", 0, 3)]
    {
        status.inputs.push(InputStatus {
            name: format!("{topic}/{partition}"),
            lag: Some(lag),
            watermark: Some(ago(31 + lag / 1_000)),
            paused: (lag > 1_000).then(|| "24 min ahead of the slowest partition".to_owned()),
        });
    }
    status.records = vec![("accepted".into(), 18_204_113), ("duplicate".into(), 1_201), ("rejected".into(), 17)];
    status.last_commit = Some(Commit { number: 8_211, at: ago(4), rows: 10_412, bytes: 1_204_311 });
    status.open_windows = 2;
    status.evaluated_to = Some(ago(74));
    status.alerts = vec![
        AlertStatus {
            rule: "GroundednessDrop".into(),
            severity: "page".into(),
            state: "firing".into(),
            labels: vec![("tenant".into(), "acme".into()), ("app".into(), "<script>alert(1)</script>".into())],
            since: ago(840),
            value: Some(0.412_34),
            n: 1_412,
            baseline: Some(0.871),
            incident: Some("GW4F2A7Q3B".into()),
        },
        AlertStatus {
            rule: "TokenSpike".into(),
            severity: "ticket".into(),
            state: "pending".into(),
            labels: vec![("tenant".into(), "globex".into()), ("app".into(), "triage".into())],
            since: ago(60),
            value: Some(41_230.0),
            n: 88,
            baseline: None,
            incident: None,
        },
    ];
    status.unsent = 1;
    status.mails = vec![MailStatus {
        at: ago(812),
        subject: "[page] GroundednessDrop acme/support-bot GW4F2A7Q3B".into(),
        recipient: "oncall@example.com".into(),
        result: "delivered".into(),
    }];
}

#[tokio::test]
async fn the_status_page_shows_everything_and_escapes_it() {
    let (board, _) = board();
    board.update(busy);
    board.unmet(Condition::Evaluator, "42 entries behind");
    let response = request(&board, &Telemetry::new(), "GET /").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    for part in [
        "content-security-policy: default-src 'none'",
        "<title>(1) Groundwire</title>",
        "up 1 d 2 h",
        "<b>evaluator</b>: 42 entries behind",
        "GroundednessDrop",
        "app=&lt;script&gt;alert(1)&lt;/script&gt;",
        "now <b>0.4123</b>",
        "before <b>0.871</b>",
        "now <b>41230</b>",
        "1\u{202f}204\u{202f}310",
        "14 min 0 s",
        "paused: 24 min ahead of the slowest partition",
        "1 not delivered yet",
        "oncall@example.com",
    ] {
        assert!(response.contains(part), "{part}\n{response}");
    }
    for forbidden in ["<script", "src=", "http://", "https://", "@import", "url("] {
        assert!(!response.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn nothing_can_be_changed_and_unknown_pages_say_so() {
    let (board, _) = board();
    let telemetry = Telemetry::new();
    assert!(request(&board, &telemetry, "POST /").await.starts_with("HTTP/1.1 405"));
    assert!(request(&board, &telemetry, "GET /admin").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn an_address_in_use_is_told_with_what_to_do() {
    let first = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = Server::bind(first.address()).await.unwrap_err().to_string();
    assert!(error.contains(&first.address().to_string()) && error.contains("[http] listen"), "{error}");
}
