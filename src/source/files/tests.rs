use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{FileSource, Growth, Settings};
use crate::event::{Cut, TopicPartition};
use crate::log::InputHealth;
use crate::source::{Error, OnLoss, Polled, Source, Start};

const WAIT: Duration = Duration::from_millis(1);

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    fs::create_dir_all(folder.path().join("t")).expect("folder");
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join("t").join(name);
    OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

fn source_with(folder: &Path, known: &[(i32, i64)], change: impl FnOnce(&mut Settings)) -> FileSource {
    let mut settings = Settings::new(folder.to_owned(), vec!["t".to_owned(), "not-there".to_owned()]);
    change(&mut settings);
    let known: BTreeMap<i32, i64> = known.iter().copied().collect();
    FileSource::new(settings, Box::new(move |ids| ids.iter().map(|id| known.get(&id.partition).copied()).collect()))
}

fn source(folder: &Path, known: &[(i32, i64)]) -> FileSource {
    source_with(folder, known, |_| {})
}

/// Everything told until the source is idle.
#[derive(Debug, Default)]
struct Told {
    /// (partition, offset, next offset, value)
    records: Vec<(i32, i64, i64, String)>,
    cut: Vec<Cut>,
    assigned: Vec<(i32, i64)>,
    lost: Vec<(i64, i64)>,
    state: BTreeMap<i32, InputHealth>,
}

fn drain(source: &mut FileSource) -> Told {
    let mut told = Told::default();
    loop {
        match source.poll(WAIT).expect("polls") {
            Polled::Records(records) => {
                for record in &records.records {
                    let value = String::from_utf8_lossy(records.value(record)).into_owned();
                    let partition = records.partitions[record.partition as usize].partition;
                    told.records.push((partition, record.offset, record.next_offset, value));
                    told.cut.extend(records.cut(record));
                }
            }
            Polled::Assigned(assigned) => told.assigned.extend(assigned.into_iter().map(|(id, at)| (id.partition, at))),
            Polled::Lost(lost) => told.lost.extend(lost.into_iter().map(|l| (l.from, l.to))),
            Polled::State(state) => told.state.extend(state.into_iter().map(|(id, health)| (id.partition, health))),
            Polled::Revoked(revoked) => panic!("{revoked:?}"),
            Polled::Idle => return told,
        }
    }
}

fn lines(told: &Told) -> Vec<(i64, i64, &str)> {
    told.records.iter().map(|(_, from, to, value)| (*from, *to, value.as_str())).collect()
}

#[test]
fn whole_lines_are_records_at_their_byte_offsets_and_the_file_is_followed() {
    let folder = folder();
    write(folder.path(), "0.jsonl", b"a\nbb\r\n\n  \nccc\npart");
    let mut source = source(folder.path(), &[]);
    let told = drain(&mut source);
    assert_eq!(told.assigned, [(0, 0)]);
    assert_eq!(lines(&told), [(0, 2, "a"), (2, 6, "bb"), (10, 14, "ccc")]);
    assert_eq!(told.state[&0], InputHealth { end: Some(18), lag: Some(4), caught_up: true });
    write(folder.path(), "0.jsonl", b"ial\nlast\n");
    let told = drain(&mut source);
    assert_eq!(lines(&told), [(14, 22, "partial"), (22, 27, "last")]);
    assert_eq!(told.state[&0], InputHealth { end: Some(27), lag: Some(0), caught_up: true });
}

#[test]
fn reading_goes_on_at_the_logs_position_in_every_encoding() {
    let text = "one\ntwo\nthree\nfour";
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("compressed")
    };
    let folder = folder();
    write(folder.path(), "0.jsonl", format!("{text}\n").as_bytes());
    write(folder.path(), "1.jsonl.gz", &[gzip("one\ntwo\n"), gzip("three\nfour")].concat());
    write(folder.path(), "2.jsonl.zst", &zstd::encode_all(text.as_bytes(), 1).expect("compressed"));
    for (known, expected) in [(0, vec!["one", "two", "three", "four"]), (8, vec!["three", "four"]), (18, vec![])] {
        let mut source = source(folder.path(), &[(0, known), (1, known), (2, known)]);
        let told = drain(&mut source);
        for partition in 0..3 {
            if known == 18 && partition == 0 {
                continue;
            }
            let read: Vec<&str> = told.records.iter().filter(|r| r.0 == partition).map(|r| r.3.as_str()).collect();
            assert_eq!(read, expected, "partition {partition} from {known}");
            assert!(told.state[&partition].caught_up);
        }
    }
}

#[test]
fn a_line_beyond_the_limit_is_cut_but_keeps_its_length_hash_and_place() {
    let folder = folder();
    for long in [11_usize, 200, 300_000] {
        let name = format!("{long}.jsonl");
        let line = vec![b'x'; long];
        write(folder.path(), &name, &[b"ok\n", &line[..], b"\nnext\n"].concat());
    }
    let mut source = source_with(folder.path(), &[], |settings| settings.max_value_bytes = 10);
    let told = drain(&mut source);
    for long in [11_i64, 200, 300_000] {
        let records: Vec<_> = told.records.iter().filter(|r| i64::from(r.0) == long).map(|r| (r.1, r.2, r.3.len())).collect();
        assert_eq!(records, [(0, 3, 2), (3, 4 + long, 11), (4 + long, 9 + long, 4)]);
    }
    let expected: Vec<Cut> = [11_usize, 200, 300_000]
        .iter()
        .map(|long| Cut { length: *long as u64, sha256: Sha256::digest(vec![b'x'; *long]).into() })
        .collect();
    let mut cut = told.cut;
    cut.sort_by_key(|cut| cut.length);
    assert_eq!(cut, expected);
}

#[test]
fn fifty_megabytes_in_one_line_are_not_held() {
    let folder = folder();
    write(folder.path(), "0.jsonl", &vec![b'x'; 50 << 20]);
    let mut source = source(folder.path(), &[]);
    assert_eq!(drain(&mut source).records.len(), 0);
    write(folder.path(), "0.jsonl", b"\n{}\n");
    let told = drain(&mut source);
    assert_eq!(told.records.iter().map(|r| r.3.len()).collect::<Vec<_>>(), [(1 << 20) + 1, 2]);
    assert_eq!(told.cut[0].length, 50 << 20);
}

#[test]
fn new_partitions_are_taken_up_and_foreign_files_left_alone() {
    let folder = folder();
    write(folder.path(), "notes.txt", b"x\n");
    write(folder.path(), "01.jsonl", b"x\n");
    write(folder.path(), "-1.jsonl", b"x\n");
    let mut source = source(folder.path(), &[]);
    assert_eq!(drain(&mut source).records.len(), 0);
    write(folder.path(), "7.jsonl", b"seven\n");
    let told = drain(&mut source);
    assert_eq!((told.assigned.as_slice(), lines(&told).as_slice()), (&[(7, 0)][..], &[(0, 6, "seven")][..]));
}

#[test]
fn two_files_for_one_partition_are_refused() {
    let folder = folder();
    write(folder.path(), "0.jsonl", b"x\n");
    write(folder.path(), "0.jsonl.gz", b"");
    assert!(matches!(source(folder.path(), &[]).poll(WAIT), Err(Error::Ambiguous { .. })));
}

#[test]
fn the_last_line_of_a_complete_file_needs_no_end() {
    let folder = folder();
    write(folder.path(), "0.jsonl", b"a\nb");
    let mut source = source_with(folder.path(), &[], |settings| settings.growth = Growth::Complete);
    let told = drain(&mut source);
    assert_eq!(lines(&told), [(0, 2, "a"), (2, 3, "b")]);
    assert_eq!(told.state[&0], InputHealth { end: Some(3), lag: Some(0), caught_up: true });
}

#[test]
fn starting_at_the_end_reads_only_what_comes() {
    let folder = folder();
    write(folder.path(), "0.jsonl", b"old\n");
    let mut source = source_with(folder.path(), &[], |settings| settings.start = Start::End);
    assert_eq!(drain(&mut source).assigned, [(0, 4)]);
    write(folder.path(), "0.jsonl", b"new\n");
    assert_eq!(lines(&drain(&mut source)), [(4, 8, "new")]);
}

#[test]
fn a_file_shorter_than_the_position_is_lost_input() {
    let folder = folder();
    write(folder.path(), "0.jsonl", b"a\nb\n");
    assert!(matches!(source(folder.path(), &[(0, 100)]).poll(WAIT), Err(Error::Lost(_))));
    let mut source = source_with(folder.path(), &[(0, 100)], |settings| settings.on_loss = OnLoss::Continue);
    let told = drain(&mut source);
    assert_eq!((told.lost.as_slice(), told.records.len()), (&[(100, 0)][..], 2));
    fs::write(folder.path().join("t/0.jsonl"), "z\n").expect("made anew");
    let told = drain(&mut source);
    assert_eq!((told.lost.as_slice(), lines(&told).as_slice()), (&[(4, 0)][..], &[(0, 2, "z")][..]));
}

#[test]
fn a_damaged_compressed_file_stops_nothing_and_is_read_on_when_it_is_whole() {
    let text: String = (0..20_000).map(|n: u32| (n.wrapping_mul(2_654_435_761) % 1_000_003).to_string() + "\n").collect();
    let whole = zstd::encode_all(text.as_bytes(), 1).expect("compressed");
    let folder = folder();
    write(folder.path(), "0.jsonl.zst", &whole[..whole.len() / 2]);
    write(folder.path(), "1.jsonl", b"fine\n");
    let mut source = source(folder.path(), &[]);
    let told = drain(&mut source);
    assert!(told.records.iter().any(|r| r.3 == "fine") && !told.state.get(&0).is_some_and(|state| state.caught_up));
    let before = told.records.iter().filter(|r| r.0 == 0).count();
    write(folder.path(), "0.jsonl.zst", &whole[whole.len() / 2..]);
    let told = drain(&mut source);
    assert_eq!(before + told.records.len(), 20_000);
    assert!(told.state[&0].caught_up);
}

#[test]
fn paused_partitions_wait_and_others_go_on() {
    let folder = folder();
    write(folder.path(), "0.jsonl", b"zero\n");
    write(folder.path(), "1.jsonl", b"one\n");
    let mut source = source(folder.path(), &[]);
    let zero = [TopicPartition { topic: "t".into(), partition: 0 }];
    source.pause(&zero).expect("pauses");
    assert_eq!(lines(&drain(&mut source)), [(0, 4, "one")]);
    source.resume(&zero).expect("resumes");
    assert_eq!(lines(&drain(&mut source)), [(0, 5, "zero")]);
}
