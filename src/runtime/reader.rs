//! The thread that owns the source: it polls, hands over what comes, and carries out what the taker asks for.
//!
//! The queue to the taker is short. When it stays full, the source is paused and still polled, so that a consumer stays a
//! member of its group while the store is slow.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::{Duration, Instant};

use crate::event::TopicPartition;
use crate::source::kafka::BeforeRevoke;
use crate::source::{self, Polled, Source};

/// Longest that a poll waits.
const POLL: Duration = Duration::from_millis(100);

/// Longest that a busy taker is waited for before the source is paused.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two looks whether the taker has room.
const NAP: Duration = Duration::from_millis(1);

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
pub(super) fn run(source: Box<dyn Source>, to: &SyncSender<Read>, asks: &Receiver<Ask>) {
    let mut reader = Reader::new(source, to, asks, PATIENCE);
    while reader.carry_out().is_ok() {
        let polled = reader.poll();
        let failed = matches!(polled, Some(Read::Failed(_)));
        if polled.is_some_and(|read| reader.hand_over(read).is_err()) || failed {
            break;
        }
    }
    reader.source.close();
}

/// The taker is gone.
struct Gone;

struct Reader<'c> {
    source: Box<dyn Source>,
    to: &'c SyncSender<Read>,
    asks: &'c Receiver<Ask>,
    assigned: BTreeSet<TopicPartition>,
    /// Paused because the taker wished so.
    held: BTreeSet<TopicPartition>,
    /// Whether everything is paused, because the taker is busy.
    all_paused: bool,
    patience: Duration,
}

impl<'c> Reader<'c> {
    fn new(source: Box<dyn Source>, to: &'c SyncSender<Read>, asks: &'c Receiver<Ask>, patience: Duration) -> Self {
        Self { source, to, asks, assigned: BTreeSet::new(), held: BTreeSet::new(), all_paused: false, patience }
    }

    fn poll(&mut self) -> Option<Read> {
        match self.source.poll(POLL) {
            Ok(Polled::Idle) => None,
            Ok(polled) => {
                match &polled {
                    Polled::Assigned(partitions) => {
                        for (partition, _) in partitions {
                            self.held.remove(partition);
                            self.assigned.insert(partition.clone());
                        }
                    }
                    Polled::Revoked(partitions) => self.assigned.retain(|known| !partitions.contains(known)),
                    _ => {}
                }
                Some(Read::Polled(polled))
            }
            Err(error) => Some(Read::Failed(error)),
        }
    }

    fn carry_out(&mut self) -> Result<(), Gone> {
        loop {
            let done = match self.asks.try_recv() {
                Ok(Ask::Pause(partitions)) => {
                    let done = self.source.pause(&partitions);
                    self.held.extend(partitions);
                    done
                }
                Ok(Ask::Resume(partitions)) => {
                    self.held.retain(|held| !partitions.contains(held));
                    if self.all_paused { Ok(()) } else { self.source.resume(&partitions) }
                }
                Ok(Ask::Acknowledge(ends)) => {
                    self.source.acknowledge(&ends);
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

    /// Hands over. A taker that is busy for long finds the source paused and polled meanwhile, so that a rebalance is
    /// noticed; for a moment it is not worth it, because a client forgets what it has fetched of a paused partition.
    #[expect(clippy::disallowed_methods, reason = "how long this thread waits is no decision that is stored")]
    fn hand_over(&mut self, read: Read) -> Result<(), Gone> {
        let since = Instant::now();
        let mut waiting = VecDeque::from([read]);
        while let Some(read) = waiting.pop_front() {
            match self.to.try_send(read) {
                Ok(()) => {}
                Err(TrySendError::Disconnected(_)) => return Err(Gone),
                Err(TrySendError::Full(read)) if since.elapsed() < self.patience => {
                    waiting.push_front(read);
                    std::thread::sleep(NAP);
                }
                Err(TrySendError::Full(read)) => {
                    waiting.push_front(read);
                    if !self.all_paused {
                        self.pause_all();
                    }
                    self.carry_out()?;
                    if let Some(next) = self.poll() {
                        queue(&mut waiting, next);
                    }
                }
            }
        }
        if self.all_paused {
            self.resume_all();
        }
        Ok(())
    }

    fn pause_all(&mut self) {
        self.all_paused = true;
        let all: Vec<TopicPartition> = self.assigned.iter().cloned().collect();
        if let Err(error) = self.source.pause(&all) {
            tracing::warn!(%error, "source did not pause");
        }
    }

    fn resume_all(&mut self) {
        self.all_paused = false;
        let all: Vec<TopicPartition> = self.assigned.difference(&self.held).cloned().collect();
        if let Err(error) = self.source.resume(&all) {
            tracing::warn!(%error, "source did not resume");
        }
    }
}

/// Puts into the queue; states that follow each other become one, so that a long wait does not fill it.
fn queue(waiting: &mut VecDeque<Read>, next: Read) {
    match (waiting.back_mut(), next) {
        (Some(Read::Polled(Polled::State(before))), Read::Polled(Polled::State(now))) => {
            before.retain(|(partition, _)| !now.iter().any(|(again, _)| again == partition));
            before.extend(now);
        }
        (_, next) => waiting.push_back(next),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use super::*;
    use crate::log::InputHealth;

    /// Says what it is told to say, and notes what it is asked.
    #[derive(Default)]
    struct Scripted {
        says: VecDeque<Polled>,
        paused: Arc<Mutex<BTreeSet<TopicPartition>>>,
        /// Called before each poll with the polls that are left.
        before: Option<Box<dyn FnMut(usize) + Send>>,
    }

    impl Source for Scripted {
        fn poll(&mut self, _max_wait: Duration) -> Result<Polled, source::Error> {
            if let Some(before) = &mut self.before {
                before(self.says.len());
            }
            Ok(self.says.pop_front().unwrap_or(Polled::Idle))
        }
        fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), source::Error> {
            self.paused.lock().unwrap().extend(partitions.iter().cloned());
            Ok(())
        }
        fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), source::Error> {
            self.paused.lock().unwrap().retain(|paused| !partitions.contains(paused));
            Ok(())
        }
        fn acknowledge(&mut self, _ends: &[(TopicPartition, i64)]) {}
        fn close(&mut self) {}
    }

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: "t".into(), partition: number }
    }

    fn state(number: i32, lag: i64) -> Polled {
        Polled::State(vec![(partition(number), InputHealth { end: Some(9), lag: Some(lag), caught_up: lag == 0 })])
    }

    #[test]
    fn what_a_source_says_of_its_ends_while_the_taker_is_busy_is_handed_over_afterwards() {
        let (to, reads) = mpsc::sync_channel(1);
        let reads = Arc::new(Mutex::new(reads));
        let (ask, asks) = mpsc::channel();
        let paused = Arc::new(Mutex::new(BTreeSet::new()));
        let taken = Arc::new(Mutex::new(Vec::new()));
        ask.send(Ask::Pause(vec![partition(1)])).unwrap();
        let before: Box<dyn FnMut(usize) + Send> = {
            let (paused, taken, reads) = (Arc::clone(&paused), Arc::clone(&taken), Arc::clone(&reads));
            Box::new(move |left| {
                if left == 0 {
                    // The taker has time again, once everything was paused for it.
                    assert_eq!(paused.lock().unwrap().len(), 2);
                    taken.lock().unwrap().extend(reads.lock().unwrap().try_iter());
                }
            })
        };
        let says = VecDeque::from([state(0, 7), state(1, 5), state(0, 0)]);
        let source = Scripted { says, paused: Arc::clone(&paused), before: Some(before) };
        let mut reader = Reader::new(Box::new(source), &to, &asks, Duration::ZERO);
        reader.assigned.extend([partition(0), partition(1)]);
        assert!(reader.carry_out().is_ok());
        assert!(reader.hand_over(Read::Polled(state(1, 8))).is_ok());
        assert!(reader.hand_over(Read::Polled(state(0, 9))).is_ok());
        // The one that the taker itself has paused stays so.
        assert_eq!(*paused.lock().unwrap(), BTreeSet::from([partition(1)]));
        taken.lock().unwrap().extend(reads.lock().unwrap().try_iter());
        let mut last = std::collections::BTreeMap::new();
        for read in taken.lock().unwrap().drain(..) {
            let Read::Polled(Polled::State(states)) = read else { panic!("not a state: {read:?}") };
            last.extend(states.into_iter().map(|(id, health)| (id, health.lag)));
        }
        assert_eq!(last, std::collections::BTreeMap::from([(partition(0), Some(0)), (partition(1), Some(5))]));
    }
}
