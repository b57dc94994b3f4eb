//! The outbox: who still has to be told what.
//!
//! One delivery per notification and recipient, so that one bad address never holds up the others. A delivery is claimed in one
//! log entry, sent, and its result recorded in a later one: at least once (AL-2). A claim without a result is repeated after two
//! minutes with the same bytes and the same Message-ID, so that a receiver can tell the repeat. Nothing here sends.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::notification::{Kind, Notification};
use crate::event::Timestamp;

/// How long a claim without a result stands.
const CLAIM_US: i64 = 2 * Timestamp::MINUTE_US;
/// Waiting times in seconds after the first failures; the last one repeats.
const BACK_OFF_SECS: [i64; 6] = [5, 15, 60, 300, 900, 1_800];
/// How long a finished notification is remembered.
const REMEMBER_US: i64 = Timestamp::HOUR_US;
/// How far event time may trail the clock before the service counts as catching up.
const CATCH_UP_US: i64 = 5 * Timestamp::MINUTE_US;
/// News older than this is told only if it is still true once the service has caught up.
const NEWS_US: i64 = Timestamp::HOUR_US;

/// How far one delivery has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Not tried yet.
    Queued,
    /// Being sent since then.
    Claimed(Timestamp),
    /// Accepted by the mail server.
    Sent(Timestamp),
    /// Failed; next try then.
    Failed(Timestamp),
    /// Given up.
    Dead(Timestamp),
}

/// One recipient of one notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Address.
    pub recipient: String,
    /// How far it has come.
    pub progress: Progress,
    /// Tries so far.
    pub attempts: u32,
    /// What the server (or the network) said last.
    pub said: String,
}

/// One notification and its deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outgoing {
    /// What is told.
    pub notification: Notification,
    /// To whom.
    pub deliveries: Vec<Delivery>,
}

/// What happened to a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The server took it, saying this.
    Sent(String),
    /// It may work later.
    Retry(String),
    /// This recipient or this mail is refused for good.
    Refused(String),
}

/// The result of sending one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendResult {
    /// [`Notification::id`].
    pub message: String,
    /// Address.
    pub recipient: String,
    /// What happened.
    pub outcome: SendOutcome,
}

/// A delivery to try now.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What is told.
    pub notification: Notification,
    /// To whom.
    pub recipient: String,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// A change of the outbox, as the log records it. Changes carry the whole new state of what they touch, so applying one twice
/// is the same as once (AL-3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// A notification is new, with its deliveries.
    Queued(Box<Notification>),
    /// A notification is withdrawn, since a later one tells it too.
    Withdrawn(String),
    /// A delivery moved on.
    Delivery {
        /// [`Notification::id`].
        message: String,
        /// Its new state.
        delivery: Delivery,
    },
}

/// Who still has to be told what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outbox {
    outgoing: Vec<Outgoing>,
    /// Changes since the last entry.
    #[serde(skip)]
    changes: Vec<Change>,
    /// Claims of this process whose result is not known yet: never claimed again by it.
    #[serde(skip)]
    in_flight: BTreeSet<(String, String)>,
}

impl Outbox {
    /// Everything known, oldest first.
    pub(super) fn outgoing(&self) -> &[Outgoing] {
        &self.outgoing
    }

    /// Adds a notification. If it ends an incident of which nobody has been told, it takes the place of the earlier news.
    pub(super) fn queue(&mut self, mut notification: Notification) {
        if let Some(ending) = &mut notification.ending {
            let untold = |outgoing: &Outgoing| outgoing.notification.incident == notification.incident && outgoing.is_untold();
            let mut mine = self.outgoing.iter().filter(|outgoing| outgoing.notification.incident == notification.incident);
            ending.first_news = mine.clone().next().is_some() && mine.all(Outgoing::is_untold);
            if ending.first_news {
                notification.earlier.clear();
            }
            let withdrawn: Vec<String> = self.outgoing.iter().filter(|o| untold(o)).map(|o| o.notification.id()).collect();
            self.outgoing.retain(|outgoing| !untold(outgoing));
            for id in withdrawn {
                notification.earlier.retain(|earlier| !id.ends_with(&format!(".{}.{}", earlier.sequence, earlier.kind.as_str())));
                self.changes.push(Change::Withdrawn(id));
            }
        }
        self.changes.push(Change::Queued(Box::new(notification.clone())));
        self.insert(notification);
    }

    fn insert(&mut self, notification: Notification) {
        let id = notification.id();
        if self.outgoing.iter().any(|outgoing| outgoing.notification.id() == id) {
            return;
        }
        let deliveries = notification
            .recipients
            .iter()
            .map(|recipient| Delivery {
                recipient: recipient.clone(),
                progress: Progress::Queued,
                attempts: 0,
                said: String::new(),
            })
            .collect();
        self.outgoing.push(Outgoing { notification, deliveries });
    }

    /// Claims what is due. `evaluated_until` is how far event time has been judged: while that is far behind `now`, news waits a
    /// little, so that what fired and cleared in the meantime is one mail and not two.
    pub(super) fn claim(&mut self, now: Timestamp, evaluated_until: Timestamp) -> Vec<Claim> {
        self.forget(now);
        let catching_up = now.0.saturating_sub(evaluated_until.0) > CATCH_UP_US;
        self.drop_history(catching_up);
        let mut claims = Vec::new();
        let mut waiting: BTreeSet<(String, String)> = BTreeSet::new();
        for outgoing in &mut self.outgoing {
            let notification = &outgoing.notification;
            let held = catching_up && !notification.is_of_the_service() && outgoing.deliveries.iter().all(|d| d.attempts == 0) && {
                let old = notification.queued_at.0.saturating_sub(notification.at.0) > NEWS_US;
                old || now.0.saturating_sub(notification.queued_at.0) < CATCH_UP_US
            };
            let id = notification.id();
            for delivery in &mut outgoing.deliveries {
                let thread = (notification.incident.clone(), delivery.recipient.clone());
                let claimed_before = self.in_flight.contains(&(id.clone(), delivery.recipient.clone()));
                // The mails of one thread reach a recipient in order.
                if delivery.is_due(now) && !held && !claimed_before && !waiting.contains(&thread) {
                    delivery.progress = Progress::Claimed(now);
                    delivery.attempts = delivery.attempts.saturating_add(1);
                    self.in_flight.insert((id.clone(), delivery.recipient.clone()));
                    self.changes.push(Change::Delivery { message: id.clone(), delivery: delivery.clone() });
                    claims.push(Claim {
                        notification: notification.clone(),
                        recipient: delivery.recipient.clone(),
                        attempt: delivery.attempts,
                    });
                }
                if !delivery.is_final() {
                    waiting.insert(thread);
                }
            }
        }
        claims
    }

    /// Records what became of a claim; a delivery that would be tried again `give_up_us` after it was queued is given up.
    pub(super) fn record(&mut self, result: &SendResult, now: Timestamp, give_up_us: i64) {
        self.in_flight.remove(&(result.message.clone(), result.recipient.clone()));
        let Some(outgoing) = self.outgoing.iter_mut().find(|outgoing| outgoing.notification.id() == result.message) else { return };
        let queued_at = outgoing.notification.queued_at;
        let Some(delivery) = outgoing.deliveries.iter_mut().find(|delivery| delivery.recipient == result.recipient) else { return };
        if delivery.is_final() {
            return;
        }
        let (progress, said) = match &result.outcome {
            SendOutcome::Sent(said) => (Progress::Sent(now), said),
            SendOutcome::Refused(said) => (Progress::Dead(now), said),
            SendOutcome::Retry(said) => {
                let next = now.plus(back_off(&result.message, &result.recipient, delivery.attempts));
                let over = next.0.saturating_sub(queued_at.0) > give_up_us;
                (if over { Progress::Dead(now) } else { Progress::Failed(next) }, said)
            }
        };
        delivery.progress = progress;
        delivery.said = said.chars().take(300).collect();
        self.changes.push(Change::Delivery { message: result.message.clone(), delivery: delivery.clone() });
    }

    /// Changes since the last call, for the next log entry.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Makes the outbox what a log entry says. What was queued here since the last entry and is not in it, never was.
    pub(super) fn apply(&mut self, changes: Vec<Change>, now: Timestamp) {
        for made in std::mem::take(&mut self.changes) {
            if let Change::Queued(notification) = made {
                let id = notification.id();
                if !changes.iter().any(|change| matches!(change, Change::Queued(listed) if listed.id() == id)) {
                    self.outgoing.retain(|outgoing| outgoing.notification.id() != id);
                }
            }
        }
        for change in changes {
            match change {
                Change::Queued(notification) => match self.outgoing.iter_mut().find(|o| o.notification.id() == notification.id()) {
                    Some(outgoing) if outgoing.deliveries.iter().all(|d| d.progress == Progress::Queued) => {
                        self.outgoing.retain(|outgoing| outgoing.notification.id() != notification.id());
                        self.insert(*notification);
                    }
                    Some(_) => {}
                    None => self.insert(*notification),
                },
                Change::Withdrawn(id) => self.outgoing.retain(|outgoing| outgoing.notification.id() != id),
                Change::Delivery { message, delivery } => {
                    let outgoing = self.outgoing.iter_mut().find(|outgoing| outgoing.notification.id() == message);
                    let known = outgoing.and_then(|o| o.deliveries.iter_mut().find(|d| d.recipient == delivery.recipient));
                    if let Some(known) = known {
                        *known = delivery;
                    }
                }
            }
        }
        self.forget(now);
    }

    /// Age of the oldest notification that somebody still has to get, in seconds.
    pub(super) fn oldest_unsent_secs(&self, now: Timestamp) -> Option<i64> {
        self.outgoing
            .iter()
            .filter(|outgoing| outgoing.deliveries.iter().any(|delivery| !delivery.is_final()))
            .map(|outgoing| now.0.saturating_sub(outgoing.notification.queued_at.0) / Timestamp::SECOND_US)
            .max()
    }

    /// Old news that was over before the service caught up is history, not news.
    fn drop_history(&mut self, catching_up: bool) {
        if catching_up {
            return;
        }
        let is_history = |outgoing: &Outgoing| {
            let notification = &outgoing.notification;
            notification.ending.as_ref().is_some_and(|ending| ending.first_news)
                && outgoing.is_untold()
                && notification.queued_at.0.saturating_sub(notification.at.0) > NEWS_US
        };
        for outgoing in self.outgoing.iter().filter(|outgoing| is_history(outgoing)) {
            self.changes.push(Change::Withdrawn(outgoing.notification.id()));
        }
        self.outgoing.retain(|outgoing| !is_history(outgoing));
    }

    fn forget(&mut self, now: Timestamp) {
        self.outgoing.retain(|outgoing| {
            outgoing.deliveries.iter().any(|delivery| match delivery.progress {
                Progress::Sent(at) | Progress::Dead(at) => now.0.saturating_sub(at.0) < REMEMBER_US,
                _ => true,
            })
        });
    }
}

impl Outgoing {
    /// Whether nothing is left to do: every delivery was made or given up.
    pub fn is_done(&self) -> bool {
        self.deliveries.iter().all(Delivery::is_final)
    }

    /// Whether nobody has been told, and nobody may have been.
    fn is_untold(&self) -> bool {
        self.deliveries.iter().all(|delivery| matches!(delivery.progress, Progress::Queued | Progress::Failed(_)))
    }
}

impl Notification {
    fn is_of_the_service(&self) -> bool {
        self.quoted.metric.starts_with("service.") || self.kind == Kind::Test
    }
}

impl Delivery {
    fn is_due(&self, now: Timestamp) -> bool {
        match self.progress {
            Progress::Queued => true,
            Progress::Claimed(at) => now.0.saturating_sub(at.0) >= CLAIM_US,
            Progress::Failed(next) => now >= next,
            Progress::Sent(_) | Progress::Dead(_) => false,
        }
    }

    fn is_final(&self) -> bool {
        matches!(self.progress, Progress::Sent(_) | Progress::Dead(_))
    }
}

/// Waiting time after a failure, up to a fifth longer for some than for others, the same for every replay.
fn back_off(message: &str, recipient: &str, attempts: u32) -> i64 {
    let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(BACK_OFF_SECS.len() - 1);
    let base = BACK_OFF_SECS.get(step).copied().unwrap_or_default() * Timestamp::SECOND_US;
    let hash = blake3::hash(format!("{message}/{recipient}/{attempts}").as_bytes());
    let spread = i64::from(hash.as_bytes().first().copied().unwrap_or_default());
    base + base / 5 * spread / 255
}

#[cfg(test)]
mod tests;
