//! `groundwire score`: the scores of answers in a file, without a stream.
//!
//! Reads one `gateway_log.v1` per line (`event_time` and `request_id` may be absent) and prints one JSON object per line, in
//! order, rejected lines included. Text is redacted first, as in the stream, so the numbers are those that the stream writes;
//! spans are given back as code points of the response as it came. Nothing is stored. A line with a `reference` or a `label` has the
//! metrics that compare with it besides ([`expected`]).

mod expected;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use self::expected::{Expected, Texts};
use super::{Failure, Result};
use crate::config::{self, Config, Diagnostic, Secrets};
use crate::decode::redact::Redactor;
use crate::decode::{self, Rejected};
use crate::event::{GatewayLog, Reason};
use crate::score::{Answer, Context, SCORER, Score, Scorer, Scores, Settings};

/// Arguments of `groundwire score`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The configuration, for its limits and its redaction; defaults without it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The answers, one per line; `-` is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire score answers.jsonl > scores.jsonl\n\n\
    Scores each answer against its contexts and its question, exactly as the stream does, and prints one JSON object per line";

const EXAMPLES: &str = "Input:  {\"prompt\": \"How long is the warranty?\", \"response\": \"It lasts 24 months.\",\n         \
    \"contexts\": [{\"id\": \"w1\", \"text\": \"The warranty lasts 24 months.\"}]}\n\
    Output: request_id, outcome, reason, state, scorer, metrics, sentences, contexts; on standard error what is wrong with\n\
    each rejected line\n\
    With \"reference\" (the expected answer), metrics has BLEU, chrF, ROUGE, METEOR, token F1 and exact match besides; with\n\
    \"label\" (and \"prediction\", \"probability\") accuracy, cross-entropy and Brier score; with response_token_embeddings and\n\
    reference_token_embeddings (lists of vectors) BERTScore\n\
    Exit codes: 0 all lines answered (rejected ones too), 64 configuration or usage, 70 reading or writing failed";

/// What is printed for one line.
#[derive(Serialize)]
struct Line<'a> {
    request_id: Option<&'a str>,
    outcome: &'static str,
    reason: Option<&'static str>,
    state: Option<&'static str>,
    scorer: &'static str,
    metrics: Metrics,
    sentences: Vec<Sentence>,
    contexts: Vec<ContextLine<'a>>,
}

#[derive(Default, Serialize)]
struct Metrics {
    groundedness: Option<f64>,
    #[serde(rename = "groundedness.sentence_support")]
    sentence_support: Option<f64>,
    answer_relevance: Option<f64>,
    context_relevance: Option<f64>,
    context_precision_at_k: Option<f64>,
    utilization: Option<f64>,
    completeness: Option<f64>,
    refusal_rate: Option<f64>,
    answer_length_tokens: Option<u32>,
    #[serde(flatten)]
    expected: Expected,
}

#[derive(Serialize)]
struct Sentence {
    start: usize,
    end: usize,
    verdict: &'static str,
}

#[derive(Serialize)]
struct ContextLine<'a> {
    id: Option<&'a str>,
    relevance: Option<f64>,
    utilization: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// If the configuration is wrong, the file cannot be read, or the result cannot be printed. A line that is no answer is a
/// result.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    score_lines(arguments, out, &mut io::stderr())
}

/// Answers to `out`, and to `notes` what is wrong with lines that were rejected.
fn score_lines(arguments: &Arguments, out: &mut dyn Write, notes: &mut dyn Write) -> Result {
    let (config, secrets) = configuration(arguments.config.as_deref())?;
    let limits = config.decode_limits();
    let redactor = Redactor::new(&config.redact(&secrets)).map_err(Failure::usage)?;
    let mut desk = Desk { redactor, scorer: Scorer::new(Settings::default()), scores: Scores::default() };
    let mut lines = Lines { input: open(&arguments.file)?, line: Vec::new(), most: limits.max_bytes };
    let mut out = io::BufWriter::new(out);
    let mut number = 0_u64;
    while let Some(line) = lines.next()? {
        number += 1;
        let read = match line {
            Ok(line) => decode::decode_answer(line, &limits),
            Err(length) => Err(Rejected::too_large(length, &limits)),
        };
        let (reason, detail) = match read {
            Ok(log) => match desk.answer(&log, &mut out) {
                Ok(written) => {
                    written?;
                    continue;
                }
                Err(reason) => (reason, "its text cannot be redacted".to_owned()),
            },
            Err(Rejected { reason, detail, .. }) => {
                (reason, desk.redactor.excerpt(detail.as_bytes(), Rejected::KEPT_DETAIL_BYTES).unwrap_or_default())
            }
        };
        write(&rejection(reason), &mut out)?;
        writeln!(notes, "groundwire: line {number} rejected as {}: {detail}", reason.as_str())?;
    }
    out.flush()?;
    Ok(())
}

fn configuration(file: Option<&Path>) -> Result<(Config, Secrets)> {
    let usage = |findings: Vec<Diagnostic>| {
        let text: Vec<String> = findings.iter().map(|finding| finding.to_string().trim_end().to_owned()).collect();
        Failure::usage(text.join("\n"))
    };
    let Some(file) = file else {
        return Ok((Config::defaults(Path::new(".")).map_err(usage)?, Secrets::absent()));
    };
    let loaded = config::load(file).map_err(usage)?;
    let secrets = loaded.resolve().map_err(usage)?;
    Ok((loaded.config, secrets))
}

fn open(file: &Path) -> Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}; name a file of one JSON object per line, or -", file.display()))
    })?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, opened)))
}

/// Lines of a reader, none held beyond the limit.
struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    most: usize,
}

impl Lines {
    /// The next line without its end, or the length of one that is too long; none at the end of the input.
    fn next(&mut self) -> io::Result<Option<std::result::Result<&[u8], u64>>> {
        self.line.clear();
        let most = self.most as u64 + 2;
        if self.input.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let mut length = self.line.len() as u64;
        let whole = self.line.last() == Some(&b'\n');
        if whole {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if length == most {
            length += skip_line(&mut self.input)?;
        }
        Ok(Some(if self.line.len() > self.most { Err(length) } else { Ok(&self.line) }))
    }
}

/// Reads past the end of the line; the bytes read.
fn skip_line(input: &mut dyn BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        if used == 0 {
            return Ok(skipped);
        }
        input.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

/// Redacts and scores one answer at a time.
struct Desk {
    redactor: Redactor,
    scorer: Scorer,
    scores: Scores,
}

impl Desk {
    /// Prints the scores of an answer; the reason if nothing of it may be printed.
    fn answer(&mut self, log: &GatewayLog<'_>, out: &mut dyn Write) -> std::result::Result<io::Result<()>, Reason> {
        let redact =
            |text: &'_ str| self.redactor.redact(text).map(std::borrow::Cow::into_owned).map_err(|_| Reason::RedactionFailed);
        let prompt = log.prompt.as_deref().map(redact).transpose()?;
        let request_id = redact(log.request_id.as_str())?;
        let response = log.response.as_deref().unwrap_or_default();
        let redacted = self.redactor.redact_with_spans(response).map_err(|_| Reason::RedactionFailed)?;
        let mut texts = Vec::with_capacity(log.contexts.len());
        for context in &log.contexts {
            let id = context.id.as_deref().map(redact).transpose()?;
            texts.push((id, redact(context.text.as_deref().unwrap_or_default())?));
        }
        let contexts: Vec<Context<'_>> = texts.iter().map(|(id, text)| Context { id: id.as_deref(), text }).collect();
        let reference = log.reference.as_deref().map(redact).transpose()?;
        let prediction = log.prediction.as_deref().map(redact).transpose()?;
        let label = log.label.as_deref().map(redact).transpose()?;
        let probability = log.probability.map(|value| self.redactor.redact_probabilities(value.get())).transpose();
        let probability = probability.map_err(|_| Reason::RedactionFailed)?;
        let answer =
            Answer { prompt: prompt.as_deref(), response: log.response.as_ref().map(|_| &*redacted.text), contexts: &contexts };
        self.scorer.score(&answer, &mut self.scores);
        let scores = &self.scores;
        let share = |score: Option<Score>| score.map(Score::share);
        Ok(write(
            &Line {
                request_id: Some(request_id.as_str()).filter(|id| !id.is_empty()),
                outcome: "accepted",
                reason: None,
                state: Some(scores.state.as_str()),
                scorer: SCORER,
                metrics: Metrics {
                    groundedness: share(scores.groundedness),
                    sentence_support: share(scores.sentence_support),
                    answer_relevance: share(scores.answer_relevance),
                    context_relevance: share(scores.context_relevance),
                    context_precision_at_k: share(scores.context_precision_at_k),
                    utilization: share(scores.utilization),
                    completeness: share(scores.completeness),
                    refusal_rate: Some(f64::from(u8::from(scores.refusal))),
                    answer_length_tokens: Some(scores.answer_length_tokens),
                    expected: Expected::new(
                        log,
                        Texts {
                            response: answer.response,
                            reference: reference.as_deref(),
                            prediction: prediction.as_deref(),
                            label: label.as_deref(),
                            probability: probability.as_deref(),
                        },
                    ),
                },
                sentences: scores
                    .sentences
                    .iter()
                    .map(|sentence| {
                        let span = redacted.given_span(sentence.start as usize..sentence.end as usize);
                        Sentence { start: span.start, end: span.end, verdict: sentence.verdict.as_str() }
                    })
                    .collect(),
                contexts: contexts
                    .iter()
                    .zip(&scores.contexts)
                    .map(|(context, score)| ContextLine {
                        id: context.id,
                        relevance: share(score.relevance),
                        utilization: share(score.utilization),
                    })
                    .collect(),
            },
            out,
        ))
    }
}

fn rejection(reason: Reason) -> Line<'static> {
    Line {
        request_id: None,
        outcome: "rejected",
        reason: Some(reason.as_str()),
        state: None,
        scorer: SCORER,
        metrics: Metrics::default(),
        sentences: Vec::new(),
        contexts: Vec::new(),
    }
}

fn write(line: &Line<'_>, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(input: &str) -> Vec<serde_json::Value> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answers.jsonl");
        std::fs::write(&file, input).unwrap();
        let mut out = Vec::new();
        run(&Arguments { config: None, file }, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_is_answered_in_order() {
        let lines = score(concat!(
            r#"{"request_id": "a", "prompt": "How long is the warranty?", "response": "The warranty lasts 24 months.", "#,
            r#""contexts": [{"id": "w1", "text": "The warranty lasts 24 months."}]}"#,
            "\n{\"response\": \n\n",
            r#"{"response": "I don't know."}"#,
        ));
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0]["request_id"], "a");
        assert_eq!(lines[0]["outcome"], "accepted");
        assert_eq!(lines[0]["state"], "scored");
        assert_eq!(lines[0]["scorer"], SCORER);
        assert_eq!(lines[0]["metrics"]["groundedness.sentence_support"], 1.0);
        assert_eq!(lines[0]["sentences"][0], serde_json::json!({"start": 0, "end": 29, "verdict": "supported"}));
        assert_eq!(lines[0]["contexts"][0]["id"], "w1");
        assert_eq!(lines[1]["reason"], "invalid_json");
        assert_eq!(lines[2]["outcome"], "rejected");
        assert_eq!(lines[3]["state"], "abstained");
        assert_eq!(lines[3]["request_id"], serde_json::Value::Null);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_with_its_place_and_value() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answers.jsonl");
        std::fs::write(&file, "{\"response\": \"Yes.\"}\n{\"response\": 5}\n").unwrap();
        let mut notes = Vec::new();
        score_lines(&Arguments { config: None, file }, &mut Vec::new(), &mut notes).unwrap();
        let notes = String::from_utf8(notes).unwrap();
        assert_eq!(notes.lines().count(), 1, "{notes}");
        assert!(
            notes.contains("line 2 rejected as invalid_field: ") && notes.contains("`response`") && notes.contains('5'),
            "{notes}"
        );
    }

    #[test]
    fn a_reference_and_a_label_bring_their_metrics() {
        let lines = score(concat!(
            r#"{"response": "The cat sat on the mat.", "reference": "The cats sat on a mat.", "#,
            r#""response_token_embeddings": [[1, 0], [0, 2]], "reference_token_embeddings": [[1, 1]]}"#,
            "\n",
            r#"{"prompt": "invoice", "label": "billing", "probability": {"billing": 0.75, "other": 0.25}}"#,
            "\n",
            r#"{"response": "Nothing is known."}"#,
        ));
        let metrics = &lines[0]["metrics"];
        // rouge-score 0.1.2: 6 words each, 4 in common in order.
        assert_eq!(metrics["reference.rouge_l"], serde_json::json!(4.0 / 6.0));
        assert_eq!(metrics["reference.rouge_1.stemmed"], serde_json::json!(5.0 / 6.0));
        assert_eq!(metrics["reference.exact_match"], 0.0);
        let half = metrics["reference.bertscore_f1"].as_f64().unwrap();
        assert!((half - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(metrics.get("classification.accuracy"), None);
        assert_eq!(lines[1]["metrics"]["classification.accuracy"], 1.0);
        assert_eq!(lines[1]["metrics"]["classification.brier"], 0.0625);
        let names = lines[2]["metrics"].as_object().unwrap();
        assert!(names.keys().all(|name| !name.starts_with("reference") && !name.starts_with("classification")));
    }

    #[test]
    fn spans_are_those_of_the_response_as_it_came() {
        let response = "Écrivez à jane.doe@example.com today. Then wait for the reply.";
        let line = serde_json::json!({"response": response, "contexts": [{"text": response}]}).to_string();
        let sentence = score(&line)[0]["sentences"][1].clone();
        assert_eq!(sentence["start"], 38);
        assert_eq!(sentence["end"], response.chars().count());
    }

    #[test]
    fn a_line_beyond_the_limit_is_counted_and_passed_over() {
        let giant = format!("{{\"response\": \"{}\"}}\n{{\"response\": \"hello there\"}}\n", "a".repeat(3_000_000));
        let lines = score(&giant);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["reason"], "too_large");
        assert_eq!(lines[1]["outcome"], "accepted");
    }
}
