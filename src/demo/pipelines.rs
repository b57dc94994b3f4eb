//! The pipelines of the company: the help centre is exported and indexed every half hour, and prompts are deployed.

use super::chance::Chance;
use super::timetable::{
    BAD_PROMPT, HARMLESS_DEPLOY, LAUNCH, MINUTE_US, STALE_INDEX, SUPPORT, TENANT, TOKEN_SPIKE, TRANSLATION, TRIAGE,
};
use super::wire::{Dataset, PipelineRun};
use crate::event::Timestamp;

/// Minutes between two builds of the index.
const BUILD_EVERY: u32 = 30;

/// The pipelines.
pub(super) struct Pipelines {
    chance: Chance,
    start_us: i64,
    /// Number of the newest build that succeeded.
    build: u32,
}

impl Pipelines {
    pub(super) fn new(seed: u64, start_us: i64) -> Self {
        Self { chance: Chance::new(seed, 4), start_us, build: 417 }
    }

    /// The version of the index that serves now.
    pub(super) fn index_version(&self) -> String {
        format!("b{}", self.build)
    }

    /// What the pipelines report within a minute, in order of time.
    pub(super) fn reports(&mut self, minute: u32) -> Vec<PipelineRun> {
        let mut reports = Vec::new();
        let deploys = [
            (HARMLESS_DEPLOY, TRANSLATION, "t5"),
            (BAD_PROMPT.from, SUPPORT, "v8"),
            (BAD_PROMPT.to, SUPPORT, "v7"),
            (TOKEN_SPIKE.from, TRIAGE, "v13"),
            (TOKEN_SPIKE.to, TRIAGE, "v12"),
        ];
        for (at, app, version) in deploys {
            if at == minute {
                reports.push(self.deploy(minute, app, version));
            }
        }
        // A build starts at its minute and ends two minutes later; the repaired one is started by hand.
        let starts = |minute: u32| minute.is_multiple_of(BUILD_EVERY) || minute + 2 == STALE_INDEX.to || minute + 2 == LAUNCH.from;
        if starts(minute) {
            reports.push(self.index(minute, minute, "START"));
        }
        if minute >= 2 && starts(minute - 2) {
            let fails = STALE_INDEX.holds(minute);
            if !fails {
                self.build += 1;
            }
            reports.push(self.index(minute, minute - 2, if fails { "FAIL" } else { "COMPLETE" }));
        }
        reports
    }

    fn at(&mut self, minute: u32) -> Timestamp {
        Timestamp(self.start_us + i64::from(minute) * MINUTE_US + self.chance.between(200, 900) * 1_000)
    }

    fn deploy(&mut self, minute: u32, app: &'static str, version: &'static str) -> PipelineRun {
        let at = self.at(minute);
        PipelineRun {
            schema: SCHEMA,
            event_time: at,
            run_id: format!("deploy-{}", self.chance.hex(10)),
            job: "prompt-deploy",
            namespace: "larkfield/platform",
            kind: "deploy",
            state: "COMPLETE",
            started_at: Timestamp(at.0 - 20_000_000),
            ended_at: Some(at),
            outputs: vec![Dataset { name: app, version: version.to_owned() }],
            prompt_version: Some(version),
            tenant: TENANT,
            app,
            ..PipelineRun::default()
        }
    }

    fn index(&mut self, minute: u32, started: u32, state: &'static str) -> PipelineRun {
        let at = self.at(minute);
        let started_at = Timestamp(self.start_us + i64::from(started) * MINUTE_US);
        let rows = 1_310 + i64::from(minute / BUILD_EVERY) * 3;
        let mut run = PipelineRun {
            schema: SCHEMA,
            event_time: at,
            run_id: format!("index-{}", i64::from(started) + self.start_us / MINUTE_US),
            job: "help-center-index",
            namespace: "larkfield/data",
            kind: "index",
            state,
            started_at,
            inputs: vec![Dataset { name: "help-center-export", version: Timestamp(started_at.0 - MINUTE_US).to_string() }],
            embedding_model: Some("text-embedding-3-small"),
            tenant: TENANT,
            app: SUPPORT,
            ..PipelineRun::default()
        };
        if state != "START" {
            run.ended_at = Some(at);
            run.rows_in = Some(rows);
        }
        if state == "COMPLETE" {
            run.rows_out = Some(rows);
            run.rows_failed = Some(0);
            run.data_watermark = Some(Timestamp(started_at.0 - MINUTE_US));
            run.outputs = vec![Dataset { name: "help-center", version: self.index_version() }];
        }
        if state == "FAIL" {
            run.rows_out = Some(0);
            run.rows_failed = Some(rows - 212);
            run.error_type = Some("EmbeddingQuotaExceeded");
            run.error = Some("embedding endpoint answered 429 for 18 of 21 batches, index not published");
        }
        run
    }
}

const SCHEMA: &str = "groundwire.pipeline_event.v1";
