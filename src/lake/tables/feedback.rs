//! Feedback rows read back from a file, for the keeper's late matches.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use bytes::Bytes;

use super::columns::FEEDBACK;
use super::merge::read;
use crate::event::Timestamp;
use crate::ingest::FeedbackRow;
use crate::lake::Error;

/// All rows of a file of `feedback`, each with the id of the entry that made it true.
pub(in crate::lake) fn decode_feedback(path: &str, file: Bytes) -> Result<Vec<(String, FeedbackRow)>, Error> {
    let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
    let mut rows = Vec::new();
    for columns in read(&FEEDBACK, file).map_err(|error| damaged(error.to_string()))? {
        let number = columns.first().map_or(0, Array::len);
        for at in 0..number {
            let source = Row { columns: &columns, at };
            let row = source.text("log_entry_id").zip(row(&source));
            rows.push(row.ok_or_else(|| damaged(format!("row {at} lacks a required value")))?);
        }
    }
    Ok(rows)
}

struct Row<'a> {
    columns: &'a [ArrayRef],
    at: usize,
}

impl Row<'_> {
    fn column(&self, name: &str) -> Option<&ArrayRef> {
        let place = FEEDBACK.columns.iter().position(|column| column.name == name)?;
        self.columns.get(place).filter(|column| column.is_valid(self.at))
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.column(name)?.as_string_opt::<i32>()?.value(self.at).to_owned())
    }

    fn float(&self, name: &str) -> Option<f64> {
        Some(self.column(name)?.as_primitive_opt::<Float64Type>()?.value(self.at))
    }

    fn integer(&self, name: &str) -> Option<i64> {
        Some(self.column(name)?.as_primitive_opt::<Int64Type>()?.value(self.at))
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        Some(Timestamp(self.column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(self.at)))
    }
}

fn row(row: &Row<'_>) -> Option<FeedbackRow> {
    Some(FeedbackRow {
        event_time: row.time("event_time")?,
        feedback_id: row.text("feedback_id"),
        target_request_id: row.text("target_request_id"),
        target_trace_id: row.text("target_trace_id"),
        target_span_id: row.text("target_span_id"),
        target_response_id: row.text("target_response_id"),
        target_conversation_id: row.text("target_conversation_id"),
        tenant: row.text("tenant"),
        app: row.text("app"),
        name: row.text("name")?,
        score: row.float("score"),
        label: row.text("label"),
        comment: row.text("comment"),
        correction: row.text("correction"),
        source: row.text("source"),
        user_id: row.text("user_id"),
        attributes: row.text("attributes"),
        r#match: row.text("match")?,
        answer_request_id: row.text("answer_request_id"),
        answer_event_time: row.time("answer_event_time"),
        revision: row.integer("revision")?,
        source_topic: row.text("source_topic")?,
        source_partition: i32::try_from(row.integer("source_partition")?).ok()?,
        source_offset: row.integer("source_offset")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::tables::rows::feedback;

    #[test]
    fn rows_come_back_as_they_were_written() {
        let full = FeedbackRow {
            event_time: Timestamp(1_777_881_600_123_456),
            feedback_id: Some("f1".to_owned()),
            target_request_id: Some("r1".to_owned()),
            tenant: Some("acme".to_owned()),
            name: "rating".to_owned(),
            score: Some(4.5),
            comment: Some("größer\0".to_owned()),
            r#match: "matched".to_owned(),
            answer_request_id: Some("r1".to_owned()),
            answer_event_time: Some(Timestamp(-5)),
            revision: 3,
            source_topic: "user-feedback".to_owned(),
            source_partition: 7,
            source_offset: 1 << 40,
            ..FeedbackRow::default()
        };
        let bare = FeedbackRow {
            event_time: full.event_time.plus(1),
            name: "thumbs".to_owned(),
            r#match: "pending".to_owned(),
            source_topic: "t".to_owned(),
            ..FeedbackRow::default()
        };
        let parts = feedback(&[full.clone(), bare.clone()], "0").unwrap();
        let read: Vec<_> = parts.into_iter().flat_map(|part| decode_feedback("f", part.bytes).unwrap()).collect();
        assert_eq!(read.len(), 2);
        assert!(read.contains(&("0".to_owned(), full)) && read.contains(&("0".to_owned(), bare)));
    }
}
