//! The thread that owns the source: it polls, hands over what comes, and carries out what the taker asks for.
//!
//! The queue to the taker is short. When it is full, the source is paused and still polled, so that a consumer stays a member
//! of its group while the store is slow.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::Duration;

use crate::event::TopicPartition;
use crate::source::kafka::BeforeRevoke;
use crate::source::{self, Polled, Source};

/// Longest that a poll waits.
const POLL: Duration = Duration::from_millis(100);

/// What the taker asks of the source.
#[derive(Debug)]
pub(super) enum Ask {
    /// Stop delivering these until they are resumed.
    Pause(Vec<TopicPartition>),
    /// Deliver these again.
    Resume(Vec<TopicPartition>),
    /// The log is this far.
    Acknowledge(Vec<(TopicPartition, i64)>),
}

/// What the reader hands over.
#[derive(Debug)]
pub(super) enum Read {
    /// What a poll brought.
    Polled(Polled),
    /// Partitions are about to leave: commit what was read, then answer, so that the rebalance can go on.
    Leaving(SyncSender<()>),
    /// The source cannot go on.
    Failed(source::Error),
}

/// What the source calls before it lets go of partitions: has the taker commit what was read, and waits for it, but no longer
/// than it is told. Whatever is not committed in time, the log's rule protects: the new owner reads it again.
pub(super) fn before_revoke(to: SyncSender<Read>) -> BeforeRevoke {
    Box::new(move |_, limit| {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        if to.send(Read::Leaving(answer)).is_ok() && answered.recv_timeout(limit).is_err() {
            tracing::warn!("partitions left before what was read of them was committed; their new owner reads it again");
        }
    })
}

/// Runs until the taker is gone or the source fails.
pub(super) fn run(mut source: Box<dyn Source>, to: &SyncSender<Read>, asks: &Receiver<Ask>) {
    let mut assigned: Vec<TopicPartition> = Vec::new();
    loop {
        if carry_out(source.as_mut(), asks).is_err() {
            break;
        }
        let read = match source.poll(POLL) {
            Ok(Polled::Idle) => continue,
            Ok(polled) => {
                match &polled {
                    Polled::Assigned(partitions) => assigned.extend(partitions.iter().map(|(partition, _)| partition.clone())),
                    Polled::Revoked(partitions) => assigned.retain(|known| !partitions.contains(known)),
                    _ => {}
                }
                Read::Polled(polled)
            }
            Err(error) => Read::Failed(error),
        };
        let failed = matches!(read, Read::Failed(_));
        if hand_over(source.as_mut(), to, asks, &assigned, read).is_err() || failed {
            break;
        }
    }
    source.close();
}

/// The taker is gone.
struct Gone;

fn carry_out(source: &mut dyn Source, asks: &Receiver<Ask>) -> Result<(), Gone> {
    loop {
        let done = match asks.try_recv() {
            Ok(Ask::Pause(partitions)) => source.pause(&partitions),
            Ok(Ask::Resume(partitions)) => source.resume(&partitions),
            Ok(Ask::Acknowledge(ends)) => {
                source.acknowledge(&ends);
                Ok(())
            }
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => return Err(Gone),
        };
        if let Err(error) = done {
            tracing::warn!(%error, "source did not pause or resume");
        }
    }
}

/// Hands over; while the taker is busy, the source is paused and polled so that it notices a rebalance.
fn hand_over(
    source: &mut dyn Source,
    to: &SyncSender<Read>,
    asks: &Receiver<Ask>,
    assigned: &[TopicPartition],
    read: Read,
) -> Result<(), Gone> {
    let mut waiting = std::collections::VecDeque::from([read]);
    let mut paused = false;
    while let Some(read) = waiting.pop_front() {
        match to.try_send(read) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => return Err(Gone),
            Err(TrySendError::Full(read)) => {
                waiting.push_front(read);
                if !paused {
                    paused = source.pause(assigned).is_ok();
                }
                carry_out(source, asks)?;
                match source.poll(POLL) {
                    Ok(Polled::Idle | Polled::State(_)) => {}
                    Ok(polled) => waiting.push_back(Read::Polled(polled)),
                    Err(error) => waiting.push_back(Read::Failed(error)),
                }
            }
        }
    }
    if paused && let Err(error) = source.resume(assigned) {
        tracing::warn!(%error, "source did not resume");
    }
    Ok(())
}
