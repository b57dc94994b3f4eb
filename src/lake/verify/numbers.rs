//! The numbers: reads the tables once, recomputes metrics from `interactions` and compares.

use std::collections::BTreeMap;

use super::recompute::{Hours, Published, compare};
use super::rescore::Rescorer;
use super::{Report, Rescore};
use crate::lake::tables::columns::{INTERACTIONS, METRICS};
use crate::lake::tables::{self};
use crate::lake::{Error, Lake};
use crate::log::{EVALUATE, Fold};

impl Lake {
    pub(super) async fn verify_numbers(&self, fold: &Fold, rescore: Rescore, report: &mut Report) -> Result<(), Error> {
        let mut hours = Hours::default();
        let mut rescorer = match rescore {
            Rescore::Yes => Some(Rescorer::default()),
            Rescore::No => None,
        };
        for (name, file) in fold.files().get(INTERACTIONS.name).into_iter().flat_map(BTreeMap::values).flatten() {
            let Some(bytes) = self.read_live(fold, name, file).await? else { continue };
            let place = name.clone();
            let step = tokio::task::spawn_blocking(move || {
                let mut problems = Vec::new();
                let read = tables::read(&INTERACTIONS, bytes).and_then(|batches| {
                    for columns in &batches {
                        hours.add(columns)?;
                        if let Some(rescorer) = &mut rescorer {
                            rescorer.check(columns, &place, &mut problems)?;
                        }
                    }
                    Ok(())
                });
                if let Err(error) = read {
                    problems.push((place, format!("cannot be read: {error}")));
                }
                (hours, rescorer, problems)
            });
            let problems;
            (hours, rescorer, problems) = step.await.map_err(|error| Error::Task(error.to_string()))?;
            for (place, problem) in problems {
                report.find("numbers", place, problem);
            }
        }
        report.answers_rescored = rescorer.map_or(0, |rescorer| rescorer.rescored());

        let mut published = Published::default();
        for (name, file) in fold.files().get(METRICS.name).into_iter().flat_map(BTreeMap::values).flatten() {
            let Some(bytes) = self.read_live(fold, name, file).await? else { continue };
            let step = tokio::task::spawn_blocking(move || {
                let read =
                    tables::read(&METRICS, bytes).and_then(|batches| batches.iter().try_for_each(|columns| published.add(columns)));
                (published, read)
            });
            let read;
            (published, read) = step.await.map_err(|error| Error::Task(error.to_string()))?;
            if let Err(error) = read {
                report.find("numbers", name, format!("cannot be read: {error}"));
            }
        }
        // An entry of the evaluator is the last at best; anything else after its cursor may still move a window.
        let behind = (fold.next_number() - 1).saturating_sub(fold.cursor(EVALUATE));
        if fold.files().contains_key(METRICS.name) {
            compare(hours, &published, behind, report);
        }
        Ok(())
    }
}
