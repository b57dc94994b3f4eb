//! BERTScore over token embeddings that the caller supplies: no model is run here.
//!
//! Source: Zhang et al. 2020, without idf weights and without rescaling by a baseline: each token is matched with the token of the
//! other text whose embedding has the greatest cosine. The numbers depend on the model that made the embeddings, so they
//! compare only within one.

/// Precision, recall and F1; cosines, so each is within −1 and 1 (and for common models above 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BertScore {
    /// Mean over the answer's tokens of the greatest cosine with a token of the reference.
    pub precision: f64,
    /// Mean over the reference's tokens of the greatest cosine with a token of the answer.
    pub recall: f64,
    /// Their harmonic mean; 0 where they do not add up to more than 0.
    pub f1: f64,
}

/// BERTScore of one answer; `None` where a side has no tokens, embeddings differ in length, or one is all zeros or not finite.
#[must_use]
pub fn bert_score(response: &[Vec<f64>], reference: &[Vec<f64>]) -> Option<BertScore> {
    let length = response.first()?.len();
    let response = units(response, length)?;
    let reference = units(reference, length)?;
    let precision = greedy(&response, &reference)?;
    let recall = greedy(&reference, &response)?;
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    Some(BertScore { precision, recall, f1 })
}

/// The embeddings at length 1.
fn units(embeddings: &[Vec<f64>], length: usize) -> Option<Vec<Vec<f64>>> {
    let unit = |embedding: &Vec<f64>| {
        let norm = dot(embedding, embedding).sqrt();
        let usable = embedding.len() == length && norm.is_finite() && norm > 0.0;
        usable.then(|| embedding.iter().map(|value| value / norm).collect())
    };
    embeddings.iter().map(unit).collect()
}

/// Mean of the greatest cosine.
fn greedy(of: &[Vec<f64>], among: &[Vec<f64>]) -> Option<f64> {
    let mut sum = 0.0;
    for one in of {
        sum += among.iter().map(|other| dot(one, other)).reduce(f64::max)?;
    }
    Some(sum / of.len() as f64)
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}
