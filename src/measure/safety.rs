//! What the findings of content-safety checks of one request add to which measures.
//!
//! A request counts once per category, and once per category and side; whether the checker is right is not asked.

use super::{Measure, accumulate::CellsAt, measures};
use crate::event::{Safety, SafetyStage};

/// A category's measure: of both sides, of the prompt, of the response.
const CATEGORIES: [[Measure; 3]; 6] = [
    [measures::SAFETY_HATE, measures::SAFETY_HATE_PROMPT, measures::SAFETY_HATE_RESPONSE],
    [measures::SAFETY_SELF_HARM, measures::SAFETY_SELF_HARM_PROMPT, measures::SAFETY_SELF_HARM_RESPONSE],
    [measures::SAFETY_SEXUAL, measures::SAFETY_SEXUAL_PROMPT, measures::SAFETY_SEXUAL_RESPONSE],
    [measures::SAFETY_VIOLENCE, measures::SAFETY_VIOLENCE_PROMPT, measures::SAFETY_VIOLENCE_RESPONSE],
    [measures::SAFETY_JAILBREAK, measures::SAFETY_JAILBREAK_PROMPT, measures::SAFETY_JAILBREAK_RESPONSE],
    [measures::SAFETY_OTHER, measures::SAFETY_OTHER_PROMPT, measures::SAFETY_OTHER_RESPONSE],
];

/// How severe a finding is, in the steps of Azure AI Content Safety.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Safe,
    Low,
    Medium,
    High,
}

/// Adds the findings of content-safety checks of one request. A category is flagged if the content was withheld or detected,
/// or, where neither is said, if its severity is medium, high or a number of at least 4 (Azure AI Content Safety's default).
pub fn observe_safety(findings: &[Safety<'_>], cells: &mut CellsAt<'_>) {
    if findings.is_empty() {
        return;
    }
    let mut flagged_by_category = [[None; 3]; 6];
    let mut worst = None;
    for finding in findings {
        let severity = finding.severity.as_deref().and_then(severity);
        worst = worst.max(severity);
        let flagged = match (finding.filtered, finding.detected) {
            (None, None) => severity >= Some(Severity::Medium),
            (filtered, detected) => filtered == Some(true) || detected == Some(true),
        };
        let sides: &[usize] = match finding.stage {
            None => &[0],
            Some(SafetyStage::Prompt) => &[0, 1],
            Some(SafetyStage::Response) => &[0, 2],
        };
        let category = &mut flagged_by_category[category(&finding.category)];
        for side in sides {
            category[*side] = Some(category[*side].unwrap_or(false) || flagged);
        }
    }
    let any = flagged_by_category.iter().any(|sides| sides.contains(&Some(true)));
    let of_categories = CATEGORIES.into_iter().flatten().zip(flagged_by_category.into_iter().flatten());
    for (measure, flagged) in of_categories.chain([(measures::SAFETY_ANY, Some(any))]) {
        match flagged {
            Some(true) => cells.count_bad(measure),
            Some(false) => cells.count(measure),
            None => {}
        }
    }
    match worst {
        Some(Severity::Low) => cells.count(measures::SAFETY_WORST_LOW),
        Some(Severity::Medium) => cells.count(measures::SAFETY_WORST_MEDIUM),
        Some(Severity::High) => cells.count(measures::SAFETY_WORST_HIGH),
        Some(Severity::Safe) | None => {}
    }
}

/// Index into [`CATEGORIES`] of a checker's name for it.
fn category(name: &str) -> usize {
    const WORDS: [(&str, usize); 8] = [
        ("hate", 0),
        ("self", 1),
        ("sex", 2),
        ("violen", 3),
        ("jailbreak", 4),
        ("prompt_injection", 4),
        ("attack", 4),
        ("harassment", 0),
    ];
    let lower = name.to_ascii_lowercase();
    WORDS.iter().find(|(word, _)| lower.contains(word)).map_or(5, |(_, at)| *at)
}

/// A word, or a number of Azure's scale from 0 to 7.
fn severity(text: &str) -> Option<Severity> {
    const WORDS: [(&str, Severity); 4] =
        [("safe", Severity::Safe), ("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High)];
    if let Some((_, severity)) = WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        return Some(*severity);
    }
    let level: f64 = text.parse().ok()?;
    Some(match level {
        ..2.0 => Severity::Safe,
        2.0..4.0 => Severity::Low,
        4.0..6.0 => Severity::Medium,
        _ => Severity::High,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::measure::Accumulator;

    fn finding(category: &'static str, severity: Option<&'static str>, filtered: Option<bool>) -> Safety<'static> {
        Safety { category: category.into(), severity: severity.map(Into::into), filtered, ..Safety::default() }
    }

    fn seen(findings: &[Safety<'_>]) -> Vec<(&'static str, u64, u64)> {
        let mut accumulator = Accumulator::default();
        observe_safety(findings, &mut accumulator.at(Timestamp(0), 0));
        let rows = accumulator.take(Vec::new()).rows;
        rows.into_iter().map(|row| (row.measure.info().name, row.partial.n, row.partial.bad_n)).collect()
    }

    #[test]
    fn safety_counts_each_category_once_per_request() {
        let findings =
            [finding("Hate", Some("medium"), None), finding("hate", None, Some(false)), finding("violence", Some("2"), None)];
        assert_eq!(
            seen(&findings),
            [
                ("content_safety.any", 1, 1),
                ("content_safety.hate", 1, 1),
                ("content_safety.violence", 1, 0),
                ("content_safety.worst_medium", 1, 0),
            ]
        );
    }

    #[test]
    fn the_sides_are_counted_apart() {
        let findings = [
            Safety { stage: Some(SafetyStage::Prompt), ..finding("sexual", Some("High"), Some(false)) },
            Safety { stage: Some(SafetyStage::Response), ..finding("sexual", Some("6"), Some(true)) },
        ];
        assert_eq!(
            seen(&findings),
            [
                ("content_safety.any", 1, 1),
                ("content_safety.sexual", 1, 1),
                ("content_safety.sexual.prompt", 1, 0),
                ("content_safety.sexual.response", 1, 1),
                ("content_safety.worst_high", 1, 0),
            ]
        );
        assert_eq!(seen(&[]), []);
    }
}
