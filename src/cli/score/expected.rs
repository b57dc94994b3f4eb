//! The metrics of an answer for which the right one is known: against a reference, against a label.
//!
//! Named as in `schemas/metrics.yaml`, where one answer has the metric. Nothing is printed for what the line does not bring.

use serde::Serialize;

use crate::event::GatewayLog;
use crate::measure::classification::Classified;
use crate::score::reference::{self, RougeScores, Stemming, bert_score, rouge};

/// Metrics that need a reference or a label.
#[derive(Default, Serialize)]
pub(super) struct Expected {
    #[serde(flatten)]
    reference: Option<OfReference>,
    #[serde(flatten)]
    bertscore: Option<OfEmbeddings>,
    #[serde(flatten)]
    classification: Option<OfLabel>,
}

/// The texts that are compared, redacted.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) response: Option<&'a str>,
    pub(super) reference: Option<&'a str>,
    pub(super) prediction: Option<&'a str>,
    pub(super) label: Option<&'a str>,
    pub(super) probability: Option<&'a str>,
}

impl Expected {
    pub(super) fn new(log: &GatewayLog<'_>, texts: Texts<'_>) -> Self {
        let embeddings = |name: &str| {
            let found = log.attributes.iter().find(|attribute| attribute.name.as_str() == name)?;
            serde_json::from_str::<Vec<Vec<f64>>>(found.value.get()).ok()
        };
        let vectors = (embeddings("response_token_embeddings"), embeddings("reference_token_embeddings"));
        Self {
            reference: texts.reference.map(|reference| OfReference::new(texts.response, reference)),
            bertscore: match &vectors {
                (Some(response), Some(reference)) => Some(OfEmbeddings::new(response, reference)),
                _ => None,
            },
            classification: texts.label.map(|label| OfLabel::new(label, texts)),
        }
    }
}

#[derive(Default, Serialize)]
struct OfReference {
    #[serde(rename = "reference.sentence_bleu")]
    sentence_bleu: Option<f64>,
    #[serde(rename = "reference.chrf")]
    chrf: Option<f64>,
    #[serde(rename = "reference.rouge_1")]
    rouge_1: Option<f64>,
    #[serde(rename = "reference.rouge_1.precision")]
    rouge_1_precision: Option<f64>,
    #[serde(rename = "reference.rouge_1.recall")]
    rouge_1_recall: Option<f64>,
    #[serde(rename = "reference.rouge_1.stemmed")]
    rouge_1_stemmed: Option<f64>,
    #[serde(rename = "reference.rouge_2")]
    rouge_2: Option<f64>,
    #[serde(rename = "reference.rouge_2.precision")]
    rouge_2_precision: Option<f64>,
    #[serde(rename = "reference.rouge_2.recall")]
    rouge_2_recall: Option<f64>,
    #[serde(rename = "reference.rouge_2.stemmed")]
    rouge_2_stemmed: Option<f64>,
    #[serde(rename = "reference.rouge_l")]
    rouge_l: Option<f64>,
    #[serde(rename = "reference.rouge_l.precision")]
    rouge_l_precision: Option<f64>,
    #[serde(rename = "reference.rouge_l.recall")]
    rouge_l_recall: Option<f64>,
    #[serde(rename = "reference.rouge_l.stemmed")]
    rouge_l_stemmed: Option<f64>,
    #[serde(rename = "reference.rouge_lsum")]
    rouge_lsum: Option<f64>,
    #[serde(rename = "reference.rouge_lsum.precision")]
    rouge_lsum_precision: Option<f64>,
    #[serde(rename = "reference.rouge_lsum.recall")]
    rouge_lsum_recall: Option<f64>,
    #[serde(rename = "reference.rouge_lsum.stemmed")]
    rouge_lsum_stemmed: Option<f64>,
    #[serde(rename = "reference.meteor_exact_stem")]
    meteor_exact_stem: Option<f64>,
    #[serde(rename = "reference.token_f1")]
    token_f1: Option<f64>,
    #[serde(rename = "reference.exact_match")]
    exact_match: Option<f64>,
}

impl OfReference {
    fn new(response: Option<&str>, reference: &str) -> Self {
        let compared = response.and_then(|response| Some((response, reference::compare(response, reference)?)));
        let Some((response, scores)) = compared else { return Self::default() };
        let RougeScores { one, two, l, lsum } = scores.rouge;
        let stemmed = rouge(response, reference, Stemming::Porter);
        Self {
            sentence_bleu: Some(scores.bleu.sentence()),
            chrf: Some(scores.chrf),
            rouge_1: Some(one.f1),
            rouge_1_precision: Some(one.precision),
            rouge_1_recall: Some(one.recall),
            rouge_1_stemmed: Some(stemmed.one.f1),
            rouge_2: Some(two.f1),
            rouge_2_precision: Some(two.precision),
            rouge_2_recall: Some(two.recall),
            rouge_2_stemmed: Some(stemmed.two.f1),
            rouge_l: l.map(|rouge| rouge.f1),
            rouge_l_precision: l.map(|rouge| rouge.precision),
            rouge_l_recall: l.map(|rouge| rouge.recall),
            rouge_l_stemmed: stemmed.l.map(|rouge| rouge.f1),
            rouge_lsum: lsum.map(|rouge| rouge.f1),
            rouge_lsum_precision: lsum.map(|rouge| rouge.precision),
            rouge_lsum_recall: lsum.map(|rouge| rouge.recall),
            rouge_lsum_stemmed: stemmed.lsum.map(|rouge| rouge.f1),
            meteor_exact_stem: Some(scores.meteor_exact_stem),
            token_f1: Some(scores.tokens.f1),
            exact_match: Some(f64::from(u8::from(scores.tokens.is_exact))),
        }
    }
}

#[derive(Serialize)]
struct OfEmbeddings {
    #[serde(rename = "reference.bertscore_precision")]
    precision: Option<f64>,
    #[serde(rename = "reference.bertscore_recall")]
    recall: Option<f64>,
    #[serde(rename = "reference.bertscore_f1")]
    f1: Option<f64>,
}

impl OfEmbeddings {
    fn new(response: &[Vec<f64>], reference: &[Vec<f64>]) -> Self {
        let score = bert_score(response, reference);
        Self {
            precision: score.map(|score| score.precision),
            recall: score.map(|score| score.recall),
            f1: score.map(|score| score.f1),
        }
    }
}

#[derive(Serialize)]
struct OfLabel {
    #[serde(rename = "classification.accuracy")]
    accuracy: Option<f64>,
    #[serde(rename = "classification.cross_entropy")]
    cross_entropy: Option<f64>,
    #[serde(rename = "classification.brier")]
    brier: Option<f64>,
    #[serde(rename = "classification.confidence")]
    confidence: Option<f64>,
}

impl OfLabel {
    fn new(label: &str, texts: Texts<'_>) -> Self {
        let read = Classified::read(label, texts.prediction, texts.probability);
        Self {
            accuracy: read.is_correct.map(|is_correct| f64::from(u8::from(is_correct))),
            cross_entropy: read.cross_entropy,
            brier: read.brier,
            confidence: read.confidence,
        }
    }
}
