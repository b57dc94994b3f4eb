//! `allocations PASSAGE_BYTES`: scores the answers on standard input several times to let the buffers grow and once more, with that
//! much memory for passages that come again, and prints the heap blocks that the last time allocated per answer.

use std::io::stdin;

use quality::score::{Scorer, Scores, Settings};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = quality::rows(stdin().lock())?;
    let contexts: Vec<_> = rows.iter().map(quality::Row::contexts).collect();
    let passage_bytes = std::env::args().nth(1).ok_or("usage: allocations PASSAGE_BYTES")?.parse()?;
    let mut scorer = Scorer::new(Settings { passage_bytes, ..Settings::default() });
    let mut scores = Scores::default();
    let mut pass = || {
        for (row, contexts) in rows.iter().zip(&contexts) {
            row.score(contexts, &mut scorer, &mut scores);
        }
    };
    for _ in 0..8 {
        pass();
    }
    let _profiler = dhat::Profiler::builder().testing().build();
    pass();
    println!("{:.3}", dhat::HeapStats::get().total_blocks as f64 / rows.len() as f64);
    Ok(())
}
