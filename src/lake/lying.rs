//! A store that lies: it does what it was asked and says that it failed, says that it failed and does it later, answers a
//! race with 409 although there is no object, copies without deleting. And what must hold on it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

use super::tests::{entry, settings};
use super::{Appended, Attempt, Lake};
use crate::event::{OutcomeCounts, Timestamp};
use crate::ingest::{Epoch, FeedbackRow};
use crate::log::{Fold, KEEP, Kind};

#[derive(Debug)]
struct Lying {
    honest: InMemory,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    lies: bool,
    /// Create writes over what is there.
    careless: bool,
    delayed: Vec<(Path, PutPayload, PutOptions)>,
}

impl fmt::Display for Lying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that lies")
    }
}

fn timeout() -> object_store::Error {
    object_store::Error::Generic { store: "lying", source: "timed out".into() }
}

impl Lying {
    fn new(seed: u64) -> Self {
        let state = State { random: fastrand::Rng::with_seed(seed), lies: true, careless: false, delayed: Vec::new() };
        Self { honest: InMemory::new(), state: Mutex::new(state) }
    }

    /// One of so many choices; 0 when the store is honest.
    fn choice(&self, of: u8) -> u8 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.lies { state.random.u8(0..of) } else { 0 }
    }

    /// From now on honest, and what was delayed arrives.
    async fn repent(&self) {
        self.state.lock().unwrap().lies = false;
        while self.deliver().await {}
    }

    /// Something that was delayed arrives.
    async fn deliver(&self) -> bool {
        let late = self.state.lock().unwrap().delayed.pop();
        let Some((path, payload, options)) = late else { return false };
        // Nobody waits for the answer.
        let _answer = self.honest.put_opts(&path, payload, options).await;
        true
    }
}

#[async_trait::async_trait]
impl ObjectStore for Lying {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.state.lock().unwrap().careless {
            return self.honest.put_opts(location, payload, PutOptions::default()).await;
        }
        if self.choice(8) == 1 {
            self.deliver().await;
        }
        match self.choice(12) {
            1 => Err(timeout()),
            2 => self.honest.put_opts(location, payload, options).await.and(Err(timeout())),
            3 => {
                self.state.lock().unwrap().delayed.push((location.clone(), payload, options));
                Err(timeout())
            }
            4 if options.mode == PutMode::Create => {
                Err(object_store::Error::AlreadyExists { path: location.to_string(), source: "409 in a race".into() })
            }
            _ => self.honest.put_opts(location, payload, options).await,
        }
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.honest.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.choice(25) == 1 { Err(timeout()) } else { self.honest.get_opts(location, options).await }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.choice(12) {
            1 => locations.map(|_| Err(timeout())).boxed(),
            2 => self.honest.delete_stream(locations).map(|done| done.and(Err(timeout()))).boxed(),
            _ => self.honest.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.honest.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.honest.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.choice(12) {
            1 => Err(timeout()),
            2 => self.honest.copy_opts(from, to, options).await.and(Err(timeout())),
            _ => self.honest.copy_opts(from, to, options).await,
        }
    }

    /// Copy and delete, as buckets have it: each can fail alone.
    async fn rename_opts(&self, from: &Path, to: &Path, _options: RenameOptions) -> Result<()> {
        self.copy_opts(from, to, CopyOptions::default()).await?;
        self.delete(from).await
    }
}

/// An epoch of `count` pieces of feedback at the offsets from `from`.
fn epoch(from: i64, count: i64) -> Arc<Epoch> {
    let mut epoch = Epoch::default();
    for offset in from..from + count {
        let time = Timestamp(offset * Timestamp::HOUR_US);
        epoch.rows.feedback.push(FeedbackRow { event_time: time, source_offset: offset, ..FeedbackRow::default() });
    }
    let counts = OutcomeCounts { accepted: count.cast_unsigned(), ..OutcomeCounts::default() };
    epoch.outcomes.records.insert("feedback".to_owned(), counts.clone());
    epoch.outcomes.events.insert("feedback".to_owned(), counts);
    Arc::new(epoch)
}

/// A writer as the runtime is one: after any error it either tries the same again or starts over from the log.
struct Writer {
    lake: Lake,
    name: &'static str,
    fold: Option<Fold>,
    next_id: u128,
}

impl Writer {
    async fn turn(&mut self, random: &mut fastrand::Rng) -> std::result::Result<(), super::Error> {
        let mut fold = if let Some(fold) = self.fold.take() {
            fold
        } else {
            let fold = self.lake.load().await?;
            self.lake.finish_publications(&fold).await?;
            fold
        };
        self.next_id += 1;
        if random.u8(0..5) == 0 {
            return self.keep(fold, random).await;
        }
        let from = fold.end("t/0").unwrap_or(0);
        let count = random.i64(1..4);
        let mut next = entry(self.next_id, Kind::Ingest, &[("t/0", from, from + count)]);
        next.writer = self.name.to_owned();
        let epoch = epoch(from, count);
        next.outcomes = epoch.outcomes.clone();
        next.files = self.lake.stage_epoch(&Attempt::new(self.next_id, &next.cursors), &epoch).await?;
        let mut tries = 0;
        let appended = loop {
            match self.lake.append(&mut fold, &mut next).await {
                Err(_) if tries < 3 => tries += 1,
                result => break result?,
            }
        };
        if let Appended::Committed { number, .. } = appended {
            if number.is_multiple_of(7) {
                self.lake.checkpoint(&fold, Timestamp(0)).await?;
            }
            self.lake.publish(&next).await?;
            self.fold = Some(fold);
        }
        Ok(())
    }

    async fn keep(&mut self, mut fold: Fold, random: &mut fastrand::Rng) -> std::result::Result<(), super::Error> {
        match random.u8(0..3) {
            0 => self.lake.reap(&mut fold).await.map(drop)?,
            1 => self.lake.compact(&mut fold, self.next_id, Timestamp(1000 * Timestamp::DAY_US)).await.map(drop)?,
            _ => {
                self.lake.refresh(&mut fold).await?;
                let (from, to) = (fold.end(KEEP).unwrap_or(0), fold.next_number().cast_signed() - 1);
                let mut next = entry(self.next_id, Kind::Keep, &[(KEEP, from, to)]);
                next.writer = self.name.to_owned();
                self.lake.append(&mut fold, &mut next).await?;
            }
        }
        self.fold = Some(fold);
        Ok(())
    }
}

#[tokio::test]
async fn whatever_the_store_claims_every_offset_is_in_the_table_once() {
    for seed in 0..60 {
        let store = Arc::new(Lying::new(seed));
        let mut random = fastrand::Rng::with_seed(seed + 1_000_000);
        let writer = |name: &'static str, next_id| Writer {
            lake: Lake::on(
                Arc::clone(&store) as Arc<dyn ObjectStore>,
                &super::Settings { writer: name.to_owned(), ..settings("lying") },
            ),
            name,
            fold: None,
            next_id,
        };
        let mut writers = [writer("a", 1_000), writer("b", 2_000), writer("c", 3_000)];
        for _ in 0..60 {
            let turn = random.usize(0..3);
            // An error leaves the writer without its fold, so it starts over from the log.
            let _outcome = writers[turn].turn(&mut random).await;
        }
        store.repent().await;

        let lake = &writers[0].lake;
        let mut fold = lake.load().await.unwrap();
        lake.finish_publications(&fold).await.unwrap();
        let report = lake.verify(&super::verify::Settings::default()).await.unwrap();
        assert_eq!(report.findings, [], "seed {seed}");
        let end = fold.end("t/0").unwrap_or(0);
        assert!(end > 5, "seed {seed}: something was committed");
        assert_eq!(report.rows.get("feedback").copied().unwrap_or(0), end.cast_unsigned(), "seed {seed}");
        assert_eq!(offsets(lake, &fold).await, (0..end).collect::<Vec<_>>(), "seed {seed}");

        let before = fold.clone();
        lake.reap(&mut fold).await.unwrap();
        assert_eq!(fold, before);
        assert_eq!(
            lake.verify(&super::verify::Settings::default()).await.unwrap().findings,
            [],
            "seed {seed}: reaping takes nothing that is needed"
        );
    }
}

async fn offsets(lake: &Lake, fold: &Fold) -> Vec<i64> {
    use arrow::array::AsArray;
    let mut offsets = Vec::new();
    let globbed: Vec<Path> = lake.store.list(Some(&"feedback".into())).map_ok(|meta| meta.location).try_collect().await.unwrap();
    assert_eq!(
        globbed.len(),
        fold.files().get("feedback").map_or(0, |dates| dates.values().map(std::collections::BTreeMap::len).sum())
    );
    for path in globbed {
        let bytes = lake.read(&path).await.unwrap().unwrap();
        for columns in super::tables::read(&super::tables::columns::FEEDBACK, bytes).unwrap() {
            let at = super::tables::columns::FEEDBACK.position("source_offset").unwrap();
            offsets.extend(columns[at].as_primitive::<arrow::datatypes::Int64Type>().values().iter().copied());
        }
    }
    offsets.sort_unstable();
    offsets
}

#[tokio::test]
async fn a_delayed_entry_that_arrives_after_its_writer_gave_up_fences_the_writer() {
    let store = Arc::new(Lying::new(1));
    store.state.lock().unwrap().lies = false;
    let lake = Lake::on(Arc::clone(&store) as Arc<dyn ObjectStore>, &settings("lying"));
    let late = entry(1, Kind::Ingest, &[("t/0", 0, 5)]);
    let mut numbered = late.clone();
    numbered.number = 1;
    let bytes = serde_json::to_vec(&numbered).unwrap();
    store.state.lock().unwrap().delayed.push((super::names::entry(1), bytes.into(), PutMode::Create.into()));
    let mut fold = lake.load().await.unwrap();
    store.deliver().await;
    let mut again = entry(2, Kind::Ingest, &[("t/0", 0, 7)]);
    assert!(matches!(lake.append(&mut fold, &mut again).await.unwrap(), Appended::Fenced(_)));
    assert_eq!(lake.load().await.unwrap().end("t/0"), Some(5));
}

#[tokio::test]
async fn a_store_that_creates_a_key_twice_is_refused_and_left_clean() {
    let store = Lying::new(1);
    store.state.lock().unwrap().lies = false;
    super::store::probe(&store, &settings("lying")).await.unwrap();
    store.state.lock().unwrap().careless = true;
    let refused = super::store::probe(&store, &settings("lying")).await.unwrap_err();
    assert!(matches!(refused, super::Error::NoConditionalCreate { .. }), "{refused}");
    assert!(!refused.retry());
    let left: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
    assert_eq!(left, []);
}
