//! `speed ROUNDS`: scores the answers on standard input ROUNDS times over and prints the nanoseconds an answer took in the
//! fastest round. Under callgrind, two numbers of rounds give the instructions per answer.

use std::io::stdin;
use std::time::Instant;

use quality::score::{Scorer, Scores, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds: u32 = std::env::args().nth(1).ok_or("the number of rounds is missing")?.parse()?;
    let rows = quality::rows(stdin().lock())?;
    let contexts: Vec<_> = rows.iter().map(quality::Row::contexts).collect();
    let mut scorer = Scorer::new(Settings::default());
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
