//! One thing that is tried, and what became of it; the probes of the lake and of the OpenTelemetry collector.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::{Config, Secrets};
use crate::lake::{self, Lake};
use crate::notify;

/// How long one probe may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that was tried.
#[derive(Debug)]
pub(super) struct Probe {
    /// What was tried.
    pub(super) subject: String,
    /// What is there, or what is missing.
    pub(super) result: Result<String, Problem>,
}

/// What is missing, and what to do.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) remedy: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

impl Probe {
    pub(super) fn new(subject: impl Into<String>, result: Result<String, Problem>) -> Self {
        Self { subject: subject.into(), result }
    }

    pub(super) fn is_well(&self) -> bool {
        self.result.is_ok()
    }

    pub(super) fn to_json(&self) -> Value {
        match &self.result {
            Ok(found) => json!({ "subject": self.subject, "ok": true, "found": found }),
            Err(problem) => json!({ "subject": self.subject, "ok": false, "problem": problem.message, "remedy": problem.remedy }),
        }
    }
}

/// Opens the lake and creates one key twice: the second time must fail.
pub(super) async fn lake(config: &Config) -> Probe {
    let settings = config.lake("check");
    let result = match tokio::time::timeout(PATIENCE, Lake::open(&settings)).await {
        Ok(Ok(_)) => Ok("can be written, and creates a key only once".to_owned()),
        Ok(Err(error @ lake::Error::NoConditionalCreate { .. })) => {
            Err(Problem::new(error.to_string(), "use a store with conditional writes (S3, Azure Blob, GCS, MinIO, a local disk)"))
        }
        Ok(Err(error)) => Err(Problem::new(
            error.to_string(),
            "correct [lake] url and options; for a bucket set the credentials in the environment (AWS_…, AZURE_…, GOOGLE_…) and \
             allow reading, writing, listing and deleting",
        )),
        Err(_) => Err(Problem::new(
            format!("no answer within {} s", PATIENCE.as_secs()),
            "check the network and the endpoint of the store",
        )),
    };
    Probe::new(format!("lake {}", settings.location), result)
}

/// Connects to the mail server, encrypts and logs in, or writes to the folder for mail, if one is configured.
pub(super) async fn mail(config: &Config, secrets: &Secrets) -> Option<Probe> {
    let (subject, well) = match (&config.mail.directory, &config.mail.host) {
        (Some(folder), _) => (format!("mail folder {}", folder.display()), "can be written"),
        (None, Some(host)) if config.mail.username.is_some() => (format!("mail server {host}"), "encrypts and takes the log-in"),
        (None, Some(host)) => (format!("mail server {host}"), "encrypts; no log-in is configured"),
        (None, None) => return None,
    };
    let unusable = |error: notify::Error| {
        let remedy = match error {
            notify::Error::Address { .. } => "correct the address in [mail]",
            notify::Error::Certificates(_) => "correct [mail] ca_file",
            notify::Error::Folder { .. } => "create the folder of [mail] directory, or let the service write to it",
            notify::Error::Server { .. } => {
                "check [mail] host, port, tls, ca_file, username and the password; `groundwire alerts send-test` sends a mail"
            }
        };
        Problem::new(error.to_string(), remedy)
    };
    let result = match config.mailer(secrets) {
        Ok(None) => return None,
        Err(error) => Err(unusable(error)),
        Ok(Some(mailer)) => match tokio::time::timeout(config.mail.timeout, mailer.test_connection()).await {
            Ok(tested) => tested.map(|()| well.to_owned()).map_err(unusable),
            Err(_) => {
                let remedy = "check [mail] host, port and tls (465 wants \"implicit\", 587 \"starttls\"), and the network";
                Err(Problem::new(format!("no answer within {} s", config.mail.timeout.as_secs()), remedy))
            }
        },
    };
    Some(Probe::new(subject, result))
}

/// Sends an empty export to the OpenTelemetry collector, if one is configured.
pub(super) async fn collector(config: &Config) -> Option<Probe> {
    let endpoint = config.telemetry.otlp_endpoint.as_ref()?;
    Some(Probe::new(format!("OpenTelemetry collector {endpoint}"), export_nothing(endpoint).await))
}

async fn export_nothing(endpoint: &str) -> Result<String, Problem> {
    let unusable = |error: reqwest::Error| Problem::new(innermost(&error), "check [telemetry] otlp_endpoint and the network");
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(unusable)?;
    // An empty body is a valid protobuf message without metrics.
    let request = client.post(format!("{}/v1/metrics", endpoint.trim_end_matches('/')));
    let response = request.header("content-type", "application/x-protobuf").send().await.map_err(unusable)?;
    let status = response.status();
    if status.is_success() {
        Ok("takes exports".to_owned())
    } else if status.as_u16() == 401 || status.as_u16() == 403 {
        // This probe sends no headers, the exporter does.
        Ok(format!("asks for authentication ({status}); set OTEL_EXPORTER_OTLP_HEADERS for the service"))
    } else {
        let remedy = "check that otlp_endpoint is the address for OTLP over HTTP (usually port 4318), without /v1/…";
        Err(Problem::new(format!("answers {status}"), remedy))
    }
}

/// The cause at the bottom of an error, which says most.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
