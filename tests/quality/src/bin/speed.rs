//! `speed ROUNDS PASSAGE_BYTES`: scores the answers on standard input ROUNDS times over, with that much memory for passages that come again,
//! and prints the nanoseconds an answer took in the fastest round. Under callgrind, two numbers of rounds give the instructions per answer.

use std::io::stdin;
use std::time::Instant;

use quality::score::{Scorer, Scores, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |at| std::env::args().nth(at).ok_or("usage: speed ROUNDS PASSAGE_BYTES");
    let (rounds, passage_bytes): (u32, usize) = (argument(1)?.parse()?, argument(2)?.parse()?);
    let rows = quality::rows(stdin().lock())?;
    let contexts: Vec<_> = rows.iter().map(quality::Row::contexts).collect();
    let mut scorer = Scorer::new(Settings { passage_bytes, ..Settings::default() });
    let mut scores = Scores::default();
    let mut fastest = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        for (row, contexts) in rows.iter().zip(&contexts) {
            row.score(contexts, &mut scorer, &mut scores);
        }
        fastest = fastest.min(start.elapsed().as_secs_f64() / rows.len() as f64);
    }
    println!("{:.0}", fastest * 1e9);
    Ok(())
}
