//! Every live file is there as the log says, and nothing else is in the tables.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Report;
use crate::lake::tables::columns::TABLES;
use crate::lake::tables::sha256;
use crate::lake::{Error, Lake};
use crate::log::{Fold, LiveFile};

/// Files read at once.
const AT_ONCE: usize = 4;

impl Lake {
    /// Names of all Parquet files in the tables' folders. To be listed before the log is read: what is published has an entry.
    pub(super) async fn table_files(&self) -> Result<BTreeSet<String>, Error> {
        let mut names = BTreeSet::new();
        for table in TABLES {
            let folder = Path::from(table.name);
            let listed = self.store.list(Some(&folder)).map_ok(|meta| meta.location.to_string());
            let listed: Vec<String> = listed.try_collect().await.map_err(Error::store("list", &folder))?;
            names.extend(listed.into_iter().filter(|name| name.ends_with(".parquet")));
        }
        Ok(names)
    }

    pub(super) async fn verify_files(&self, fold: &Fold, names: &BTreeSet<String>, report: &mut Report) -> Result<(), Error> {
        let live: Vec<(&str, &str, &LiveFile)> = fold
            .files()
            .iter()
            .flat_map(|(table, dates)| dates.values().flatten().map(move |(name, file)| (table.as_str(), name.as_str(), file)))
            .collect();
        let known: BTreeSet<&str> = live.iter().map(|(_, name, _)| *name).collect();
        for name in names.iter().filter(|name| !known.contains(name.as_str())) {
            report.find(
                "files",
                name,
                "no entry of the log lists this file; the keeper has not deleted it, or somebody copied it here",
            );
        }
        let checks =
            live.into_iter().map(|(table, name, file)| async move { (table, name, file, self.read_live(fold, name, file).await) });
        let mut checks = stream::iter(checks).buffered(AT_ONCE);
        while let Some((table, name, file, bytes)) = checks.next().await {
            report.files += 1;
            let Some(bytes) = bytes? else {
                report.find("files", name, format!("the file of log entry {} is missing", file.entry));
                continue;
            };
            report.bytes += bytes.len() as u64;
            if bytes.len() as u64 != file.bytes {
                report.find("files", name, format!("{} bytes, the log says {}", bytes.len(), file.bytes));
                continue;
            }
            let found = tokio::task::spawn_blocking(move || (sha256(&bytes), rows(bytes))).await;
            let (sha256, rows) = found.map_err(|error| Error::Task(error.to_string()))?;
            if sha256 != file.sha256 {
                report.find("files", name, format!("SHA-256 is {sha256}, the log says {}", file.sha256));
            }
            match rows {
                Ok(rows) if rows == file.rows => *report.rows.entry(table.to_owned()).or_default() += rows,
                Ok(rows) => report.find("files", name, format!("{rows} rows, the log says {}", file.rows)),
                Err(reason) => report.find("files", name, format!("not Parquet: {reason}")),
            }
        }
        Ok(())
    }

    /// A live file at its final name, or where it is staged if it may not be published yet.
    pub(in crate::lake) async fn read_live(&self, fold: &Fold, name: &str, file: &LiveFile) -> Result<Option<Bytes>, Error> {
        let published = Path::from(name);
        if let Some(bytes) = self.read(&published).await? {
            return Ok(Some(bytes));
        }
        if fold.unpublished().contains(&file.entry)
            && let Some(entry) = self.read_entry(file.entry).await?
            && let Some(listed) = entry.files.iter().find(|listed| listed.r#final == name)
            && let Some(bytes) = self.read(&Path::from(listed.staged.as_str())).await?
        {
            return Ok(Some(bytes));
        }
        self.read(&published).await
    }
}

fn rows(bytes: Bytes) -> Result<u64, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    u64::try_from(reader.metadata().file_metadata().num_rows()).map_err(|error| error.to_string())
}
