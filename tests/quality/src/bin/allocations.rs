//! Scores the answers on standard input once to let the buffers grow and once more, and prints the heap blocks that the second
//! time allocated per answer.

use std::io::stdin;

use quality::score::{Scorer, Scores, Settings};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = quality::rows(stdin().lock())?;
    let contexts: Vec<_> = rows.iter().map(quality::Row::contexts).collect();
    let mut scorer = Scorer::new(Settings::default());
    let mut scores = Scores::default();
    let mut pass = || {
        for (row, contexts) in rows.iter().zip(&contexts) {
            row.score(contexts, &mut scorer, &mut scores);
        }
    };
    pass();
    let _profiler = dhat::Profiler::builder().testing().build();
    pass();
    println!("{:.3}", dhat::HeapStats::get().total_blocks as f64 / rows.len() as f64);
    Ok(())
}
