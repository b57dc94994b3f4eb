//! Sends what was claimed, a few at a time, and reports what became of it.
//!
//! Retries are not made here: a failed delivery goes back to the outbox, which claims it again when its time has come.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tracing::Instrument;

use super::clock;
use super::shutdown::Shutdown;
use crate::alert::render::{self, render};
use crate::alert::{Claim, SendOutcome, SendResult};
use crate::lake::failpoint;
use crate::notify::Mailer;
use crate::telemetry::{Histogram, Telemetry};

/// Deliveries under way at once.
const AT_ONCE: usize = 4;

/// What sending needs.
#[derive(Clone)]
pub(super) struct Sending {
    pub(super) mailer: Arc<Mailer>,
    pub(super) mail: Arc<render::Settings>,
    pub(super) results: mpsc::UnboundedSender<SendResult>,
    pub(super) telemetry: Telemetry,
    pub(super) shutdown: Shutdown,
}

impl Sending {
    /// Runs until no more claims can come and everything under way has ended, or the deadline has passed.
    pub(super) async fn run(self, mut claims: mpsc::UnboundedReceiver<Claim>) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        loop {
            let claim = tokio::select! {
                claim = claims.recv() => claim,
                Some(_) = under_way.join_next(), if !under_way.is_empty() => continue,
            };
            let Some(claim) = claim else { break };
            let (slots, this) = (Arc::clone(&slots), self.clone());
            under_way.spawn(async move {
                let Ok(_slot) = slots.acquire().await else { return };
                let span = tracing::info_span!("deliver", id = claim.notification.id(), attempt = claim.attempt);
                let outcome = this.deliver(&claim).instrument(span).await;
                let result = SendResult { message: claim.notification.id(), recipient: claim.recipient.clone(), outcome };
                // Without a listener the claim stands without a result, and is repeated with the same Message-ID.
                drop(this.results.send(result));
            });
        }
        tokio::select! {
            () = async { while under_way.join_next().await.is_some() {} } => {}
            () = self.shutdown.deadline_passed() => {}
        }
    }

    async fn deliver(&self, claim: &Claim) -> SendOutcome {
        let began = clock::wall();
        let mail = render(&claim.notification, &self.mail);
        failpoint::hit("send");
        let outcome = self.mailer.send(&mail, &claim.recipient).await;
        failpoint::hit("sent");
        let took = clock::wall().0.saturating_sub(began.0) as f64 / 1e6;
        self.telemetry.observe(Histogram::DeliveryDuration, &["mail"], took);
        match &outcome {
            SendOutcome::Sent(_) => tracing::info!("mail delivered"),
            SendOutcome::Retry(said) => tracing::warn!(said, "mail not delivered; it is tried again"),
            SendOutcome::Refused(said) => tracing::warn!(said, "mail refused for good"),
        }
        outcome
    }
}
