//! The closed list of the service's own signals: name, unit, labels and meaning of each.
//!
//! Both spellings (`groundwire.consumer.lag` in OpenTelemetry, `groundwire_consumer_lag` in Prometheus) and `docs/telemetry.md`
//! come from this list. Labels take values from enums or from the configuration, never text from events.

/// What is known of a signal.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// Name in OpenTelemetry.
    pub name: &'static str,
    /// Unit as UCUM writes it; a `{word}` counts things.
    pub unit: &'static str,
    /// Names of its labels, in the order their values are given.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

impl Description {
    /// Name in Prometheus without the suffix of a counter: dots become underscores, the unit is appended in words.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let suffix = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "1" => "_ratio",
            _ => "",
        };
        format!("{}{suffix}", self.name.replace('.', "_"))
    }
}

macro_rules! signals {
    ($(#[doc = $doc:literal])+ $kind:ident { $( #[doc = $help:literal] $signal:ident = $name:literal, $unit:literal, [$($label:literal),*]; )+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $kind {
            $( #[doc = $help] $signal, )+
        }

        impl $kind {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$( Self::$signal ),+];

            /// What is known of it.
            #[must_use]
            pub const fn describe(self) -> Description {
                match self {
                    $( Self::$signal => Description { name: $name, unit: $unit, labels: &[$($label),*], help: $help }, )+
                }
            }
        }
    };
}

signals! {
    /// Signals that only grow.
    Counter {
        /// Records consumed, by fate (accepted, duplicate, filtered, rejected). The fates add up to all records.
        Records = "groundwire.records", "{record}", ["input", "outcome"];
        /// Events consumed, by fate. One record may hold many events.
        Events = "groundwire.events", "{event}", ["input", "outcome"];
        /// Records refused, by reason. The table `rejects` holds each.
        Rejects = "groundwire.rejects", "{record}", ["reason"];
        /// Events that came after their window was closed. They correct the published rows.
        LateEvents = "groundwire.events.late", "{event}", ["input"];
        /// Records that were gone before they could be read.
        LostRecords = "groundwire.records.lost", "{record}", ["topic"];
        /// Refused records handed to the dead-letter topic, by result (sent, failed).
        DeadLetters = "groundwire.dead_letters", "{record}", ["result"];
        /// Changes of the assignment of partitions.
        Rebalances = "groundwire.rebalances", "{change}", [];
        /// Failed calls to the source; each is tried again.
        SourceErrors = "groundwire.source.errors", "{error}", [];
        /// Epochs by result (committed, fenced, dropped). Fenced and dropped ones are read again: by another process or by this one.
        Epochs = "groundwire.epochs", "{epoch}", ["result"];
        /// Rows written, by table.
        Rows = "groundwire.rows", "{row}", ["table"];
        /// Bytes of Parquet written, by table.
        WrittenBytes = "groundwire.lake.written", "By", ["table"];
        /// Entries appended to the log, by kind (ingest, evaluate, keep).
        LogEntries = "groundwire.log.entries", "{entry}", ["kind"];
        /// Failed calls to the store, by step (stage, append, publish, …); each is tried again.
        LakeErrors = "groundwire.lake.errors", "{error}", ["step"];
        /// Files taken away because their retention ended.
        ExpiredFiles = "groundwire.lake.expired", "{file}", [];
        /// Aggregates added under `__other__` because a tenant has more groups than the cap.
        GroupOverflow = "groundwire.groups.overflow", "{aggregate}", [];
        /// Feedback looked up among recent answers, by result (hit, miss). Misses are matched later, from the lake.
        RecentLookups = "groundwire.recent.lookups", "{lookup}", ["result"];
        /// Minutes of event time closed by the evaluator.
        WindowsClosed = "groundwire.windows.closed", "{window}", [];
        /// Rows of `metrics` published for the first time.
        MetricRows = "groundwire.metric.rows", "{row}", [];
        /// Rows of `metrics` published again, corrected.
        Revisions = "groundwire.metric.revisions", "{row}", [];
        /// Transitions of alerts, by the state they enter.
        AlertTransitions = "groundwire.alert.transitions", "{transition}", ["to"];
        /// Attempts to deliver a notification to one recipient, by result (delivered, retry, refused, expired).
        Notifications = "groundwire.notifications", "{notification}", ["channel", "result"];
        /// Reloads of the rules, by result (applied, refused). A refused one changes nothing.
        Reloads = "groundwire.rules.reloads", "{reload}", ["result"];
        /// Values added under `__other__` because a signal had too many label values.
        SeriesOverflow = "groundwire.telemetry.overflow", "{value}", [];
    }
}

signals! {
    /// Signals that go up and down.
    Gauge {
        /// Records (Kafka) or bytes (files) between what is read and the end of the partition.
        ConsumerLag = "groundwire.consumer.lag", "{record}", ["topic", "partition"];
        /// Partitions this process reads.
        PartitionsAssigned = "groundwire.partitions.assigned", "{partition}", ["topic"];
        /// How far the watermark of an input is behind now. Windows wait for it.
        WatermarkAge = "groundwire.watermark.age", "s", ["input"];
        /// 1 while input waits, by cause, else 0: the store (an epoch waits to be written), skew (a partition is far ahead in event time).
        InputPaused = "groundwire.input.paused", "{flag}", ["cause"];
        /// Rows and aggregates in memory that wait to be committed.
        UncommittedBytes = "groundwire.epoch.uncommitted", "By", [];
        /// When the last entry was appended, in seconds since 1970.
        LastCommit = "groundwire.commit.timestamp", "s", [];
        /// How old the newest entry was when the evaluator had folded it.
        EvaluatorDelay = "groundwire.evaluator.delay", "s", [];
        /// 1 if this process evaluates, else 0.
        Evaluating = "groundwire.evaluator.active", "{flag}", [];
        /// Minutes of event time that are not closed yet.
        OpenWindows = "groundwire.windows.open", "{window}", [];
        /// Alert instances that are not inactive, by state and severity.
        Alerts = "groundwire.alerts", "{alert}", ["state", "severity"];
        /// Age of the oldest notification that is not delivered; 0 if there is none.
        OutboxAge = "groundwire.outbox.age", "s", [];
        /// Notifications that are not delivered.
        OutboxPending = "groundwire.outbox.pending", "{notification}", [];
        /// Rules in effect.
        Rules = "groundwire.rules.active", "{rule}", [];
        /// 1 if this process is live, by probe (live, ready), else 0.
        Health = "groundwire.health", "{flag}", ["probe"];
        /// Always 1; says which version runs.
        Build = "groundwire.build", "{flag}", ["version"];
    }
}

signals! {
    /// Signals whose values are distributed.
    Histogram {
        /// How long the steps of a commit take (stage, append).
        EpochDuration = "groundwire.epoch.duration", "s", ["step"];
        /// Rows of an epoch.
        EpochRows = "groundwire.epoch.rows", "{row}", [];
        /// Bytes of Parquet of an epoch.
        EpochBytes = "groundwire.epoch.size", "By", [];
        /// How long the evaluator takes for one entry.
        EvaluateDuration = "groundwire.evaluate.duration", "s", [];
        /// How long one attempt to deliver takes.
        DeliveryDuration = "groundwire.notification.duration", "s", ["channel"];
        /// Time from the minute at which an alert was decided to its delivery.
        AlertDelay = "groundwire.alert.delay", "s", [];
    }
}

impl Histogram {
    /// Upper bounds of the buckets, without the last one, which has none.
    #[must_use]
    pub const fn bounds(self) -> &'static [f64] {
        match self {
            Self::AlertDelay => &[5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0],
            Self::EpochDuration | Self::EvaluateDuration | Self::DeliveryDuration => {
                &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]
            }
            Self::EpochRows => &[1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6],
            Self::EpochBytes => &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
        }
    }
}
