//! A pipeline event becomes a row of `pipeline_events` and measures of its job and index.

use serde_json::json;

use super::open::redaction_failed;
use super::rows::PipelineRow;
use super::{Place, Settings, TextStorage, Work};
use crate::decode::Rejected;
use crate::event::{Dataset, Outcome, PipelineEvent, PipelineState, Text};
use crate::measure::{Dimension, EndedRun, Group, VERSION_MARK, measures};

impl Work {
    /// Takes one pipeline event.
    pub(super) fn pipeline(
        &mut self,
        settings: &Settings,
        event: &PipelineEvent<'_>,
        place: &Place<'_>,
    ) -> Result<Outcome, Rejected> {
        let row = self.pipeline_row(event, place)?;
        let state = event.state.as_str();
        let key = format!("{}@{}", event.run_id.as_str(), event.event_time.0);
        if self.duplicates.is_repeat(self.hasher.repeat(place.topic, Some(state), &key), event.event_time) {
            return Ok(Outcome::Duplicate);
        }
        self.measure_pipeline(settings, event, &row);
        self.open.other_bytes += size_of::<PipelineRow>() + row.strings.iter().flatten().map(String::len).sum::<usize>();
        self.open.rows.pipeline_events.push(row);
        Ok(Outcome::Accepted)
    }

    fn pipeline_row(&self, event: &PipelineEvent<'_>, place: &Place<'_>) -> Result<PipelineRow, Rejected> {
        let redact = |text: &Option<Text<'_>>| -> Result<Option<String>, Rejected> {
            text.as_ref().map(|text| self.redactor.redact(text).map(Into::into).map_err(|_| redaction_failed())).transpose()
        };
        let id = |text: &Text<'_>| -> Result<Option<String>, Rejected> {
            self.redactor.redact(text).map(|text| Some(text.into())).map_err(|_| redaction_failed())
        };
        let datasets = |list: &[Dataset<'_>]| -> Result<Option<String>, Rejected> {
            if list.is_empty() {
                return Ok(None);
            }
            let list: Vec<_> =
                list.iter().map(|set| json!({"name": set.name.as_str(), "version": set.version.as_deref()})).collect();
            self.redactor.redact_json(&json!(list).to_string()).map(Some).map_err(|_| redaction_failed())
        };
        let attributes = self.attributes(&event.attributes, place.text)?;
        Ok(PipelineRow {
            event_time: event.event_time,
            strings: [
                id(&event.run_id)?,
                event.parent_run_id.as_ref().map(id).transpose()?.flatten(),
                Some(self.redactor.redact(&event.job).map_err(|_| redaction_failed())?.into()),
                redact(&event.namespace)?,
                redact(&event.kind)?,
                Some(event.state.as_str().to_owned()),
                datasets(&event.inputs)?,
                datasets(&event.outputs)?,
                redact(&event.error_type)?,
                redact(&event.error)?.filter(|_| place.text == TextStorage::Full),
                redact(&event.chunking)?,
                redact(&event.embedding_model)?,
                redact(&event.deployment)?,
                redact(&event.model)?,
                redact(&event.prompt_version)?,
                redact(&event.tenant)?,
                redact(&event.app)?,
                attributes,
                Some(place.topic.to_owned()),
            ],
            integers: [
                event.rows_in,
                event.rows_out,
                event.rows_failed,
                event.bytes,
                Some(i64::from(place.partition)),
                Some(place.offset),
            ],
            times: [event.started_at, event.ended_at, event.data_watermark],
        })
    }

    fn measure_pipeline(&mut self, settings: &Settings, event: &PipelineEvent<'_>, row: &PipelineRow) {
        let ended = matches!(event.state, PipelineState::Complete | PipelineState::Fail | PipelineState::Abort);
        if !ended {
            return;
        }
        let mut group = Group::default();
        for (dimension, column) in [(Dimension::Tenant, "tenant"), (Dimension::App, "app"), (Dimension::Job, "job")] {
            group.0[dimension as usize] = row.string(column).map(Into::into);
        }
        let number = self.epoch_group(settings, &group);
        let duration = event.started_at.map(|start| event.ended_at.unwrap_or(event.event_time).0 - start.0);
        let run = EndedRun {
            failed: event.state != PipelineState::Complete,
            duration_us: duration.filter(|duration| *duration >= 0),
            rows_out: event.rows_out,
            rows_failed: event.rows_failed,
            published_us: None,
        };
        run.observe(&mut self.open.accumulator.at(event.event_time, number));
        // Only a build that succeeded whole makes an index fresh.
        let published = event.state == PipelineState::Complete && event.rows_failed.unwrap_or(0) == 0;
        if published && event.kind.as_deref() == Some("index") {
            for index in &event.outputs {
                let mut group = group.clone();
                group.0[Dimension::Job as usize] = None;
                group.0[Dimension::Index as usize] = self.redactor.redact(&index.name).ok().map(|name| name.as_ref().into());
                let number = self.epoch_group(settings, &group);
                self.open.accumulator.at(event.event_time, number).add(measures::INDEX_PUBLISHED, event.event_time.0);
                let version = index.version.as_ref().and_then(|version| self.redactor.redact(version).ok());
                if let (Some(name), Some(version)) = (group.get(Dimension::Index), version) {
                    let named: std::sync::Arc<str> = format!("{name}{VERSION_MARK}{version}").into();
                    group.0[Dimension::Index as usize] = Some(named);
                    let number = self.epoch_group(settings, &group);
                    self.open.accumulator.at(event.event_time, number).add(measures::INDEX_VERSION, event.event_time.0);
                }
            }
        }
    }
}
