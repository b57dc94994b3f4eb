//! What the service knows of itself right now, for its pages: written by the runtime, read by requests.
//!
//! A board holds the latest state only. It decides nothing; a lock is held for as long as it takes to copy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::event::Timestamp;

/// A task whose loop must keep turning for the process to be live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Task {
    /// Reads, decodes, scores, commits.
    Ingest,
    /// Closes windows and runs the rules.
    Evaluate,
    /// Delivers notifications.
    Send,
    /// Tidies the lake.
    Keep,
}

impl Task {
    /// Its name on the pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Evaluate => "evaluate",
            Self::Send => "send",
            Self::Keep => "keep",
        }
    }

    /// A loop that has not turned for so long is stuck: longer than any bounded wait in it.
    const fn stuck_after_us(self) -> i64 {
        match self {
            Self::Ingest => 2 * Timestamp::MINUTE_US,
            // A pass after a long pause folds many entries.
            Self::Evaluate | Self::Send => 10 * Timestamp::MINUTE_US,
            // Compaction reads and writes whole days.
            Self::Keep => Timestamp::HOUR_US,
        }
    }
}

/// What must hold for the process to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// Connected to the source, partitions assigned.
    Source,
    /// The last commit succeeded.
    Lake,
    /// The evaluator has caught up with the log (or another process evaluates).
    Evaluator,
}

impl Condition {
    /// All conditions.
    pub const ALL: [Self; 3] = [Self::Source, Self::Lake, Self::Evaluator];

    /// Its name on the pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Lake => "lake",
            Self::Evaluator => "evaluator",
        }
    }
}

/// One partition as it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputStatus {
    /// `topic/partition`.
    pub name: String,
    /// Records (Kafka) or bytes (files) to the end, if known.
    pub lag: Option<i64>,
    /// Its watermark.
    pub watermark: Option<Timestamp>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
}

/// The last entry that this process appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Number of the entry.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of Parquet.
    pub bytes: u64,
}

/// An alert that is pending, firing or recovering.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertStatus {
    /// Name of the rule.
    pub rule: String,
    /// page, ticket, info.
    pub severity: String,
    /// pending, firing, recovering.
    pub state: String,
    /// Whom it is about.
    pub labels: Vec<(String, String)>,
    /// Since when it is in this state, in event time.
    pub since: Timestamp,
    /// Latest value.
    pub value: Option<f64>,
    /// How many values it is computed from.
    pub n: u64,
    /// What it is compared with.
    pub baseline: Option<f64>,
    /// Id of the incident, if it fired.
    pub incident: Option<String>,
}

/// One attempt to tell somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailStatus {
    /// When.
    pub at: Timestamp,
    /// Subject.
    pub subject: String,
    /// To whom.
    pub recipient: String,
    /// What became of it: delivered, will be tried again and why, refused and why.
    pub result: String,
}

/// Everything the pages show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Name of this process among several.
    pub instance: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Partitions this process reads, in the order to show.
    pub inputs: Vec<InputStatus>,
    /// Records consumed since the start, by fate, in the order to show.
    pub records: Vec<(String, u64)>,
    /// The last entry this process appended.
    pub last_commit: Option<Commit>,
    /// Minutes of event time that are not closed.
    pub open_windows: u64,
    /// End of the last minute that was closed.
    pub evaluated_to: Option<Timestamp>,
    /// Alerts, the worst first.
    pub alerts: Vec<AlertStatus>,
    /// Latest attempts to tell somebody, the newest first.
    pub mails: Vec<MailStatus>,
    /// Notifications that are not delivered.
    pub unsent: u64,
    /// Rules in effect.
    pub rules: u64,
    /// Why the last reload of the rules was refused, if it was.
    pub reload_refused: Option<String>,
}

#[derive(Default)]
struct State {
    status: Status,
    beats: BTreeMap<Task, Timestamp>,
    unmet: BTreeMap<Condition, String>,
}

/// Handle to the state shown. Clones share it.
#[derive(Clone)]
pub struct Board {
    state: Arc<RwLock<State>>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").finish_non_exhaustive()
    }
}

impl Board {
    /// A board that knows nothing yet: live, not ready. `clock` is the wall clock of the runtime.
    #[must_use]
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let unmet = Condition::ALL.map(|condition| (condition, "not reached since the start".to_owned())).into();
        Self { state: Arc::new(RwLock::new(State { unmet, ..State::default() })), clock: Arc::new(clock) }
    }

    /// Changes what is shown.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.write().status);
    }

    /// The loop of a task has turned. A task that never beat is not watched.
    pub fn beat(&self, task: Task) {
        let now = (self.clock)();
        self.write().beats.insert(task, now);
    }

    /// The task has ended as it should and is not watched any more.
    pub fn rest(&self, task: Task) {
        self.write().beats.remove(&task);
    }

    /// The condition holds.
    pub fn met(&self, condition: Condition) {
        self.write().unmet.remove(&condition);
    }

    /// The condition does not hold, and why.
    pub fn unmet(&self, condition: Condition, why: impl Into<String>) {
        self.write().unmet.insert(condition, why.into());
    }

    /// Tasks that are stuck, with the seconds since their loops last turned. Live if there are none.
    #[must_use]
    pub fn stuck(&self) -> Vec<(Task, i64)> {
        let now = (self.clock)();
        let ages = self.read().beats.iter().map(|(task, at)| (*task, now.0 - at.0)).collect::<Vec<_>>();
        ages.into_iter()
            .filter(|(task, age)| *age > task.stuck_after_us())
            .map(|(task, age)| (task, age / Timestamp::SECOND_US))
            .collect()
    }

    /// Conditions that do not hold, with the reasons. Ready if there are none.
    #[must_use]
    pub fn missing(&self) -> Vec<(Condition, String)> {
        self.read().unmet.iter().map(|(condition, why)| (*condition, why.clone())).collect()
    }

    /// What is shown now, and now.
    #[must_use]
    pub fn snapshot(&self) -> (Status, Timestamp) {
        (self.read().status.clone(), (self.clock)())
    }

    // A panic while a field was assigned leaves a whole value behind, so the state is usable.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
