//! The rules that come with the program: the files of `alerts/`, compiled in.

/// Name and text of each file, in the order of their names.
const SHIPPED: &[(&str, &str)] = &[
    ("operations.yaml", include_str!("../../alerts/operations.yaml")),
    ("pipelines.yaml", include_str!("../../alerts/pipelines.yaml")),
    ("quality.yaml", include_str!("../../alerts/quality.yaml")),
    ("service.yaml", include_str!("../../alerts/service.yaml")),
];

/// The rule files that come with the program, as [`super::Rules::parse`] wants them.
pub fn shipped() -> Vec<(String, String)> {
    SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::shipped as files;
    use crate::alert::{Diagnostic, Recipients, Rules, Vocabulary};
    use crate::measure::Registry;

    fn rules() -> Rules {
        Rules::parse(&files(), &Vocabulary::of(&Registry::builtin().unwrap()), Recipients::default()).unwrap_or_else(
            |mistakes: Vec<Diagnostic>| panic!("{}", mistakes.iter().map(|m| format!("{m}\n")).collect::<Vec<_>>().concat()),
        )
    }

    #[test]
    fn the_shipped_rules_are_without_mistakes_and_none_is_left_out() {
        let names: Vec<String> = rules().rules.into_iter().map(|rule| rule.name).collect();
        let expected = [
            "ErrorRateRise",
            "TokenSpike",
            "PipelineFailed",
            "IndexStale",
            "GroundednessDrop",
            "RelevanceDrop",
            "ThumbsDownSurge",
            "DriftDetected",
            "NoInput",
            "RejectsRise",
        ];
        assert_eq!(names, expected);
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
        let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| std::path::Path::new(name).extension().is_some_and(|end| end == "yaml"))
            .collect();
        assert_eq!(on_disk, files().into_iter().map(|(name, _)| name).collect());
    }

    #[test]
    fn every_shipped_rule_leads_to_a_section_of_a_runbook() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for rule in rules().rules {
            let url = rule.annotations.runbook_url.unwrap();
            let (file, section) = url.split_once('#').unwrap();
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            assert_eq!(section, rule.name.to_lowercase(), "{url}");
            let (_, body) = text.split_once(&format!("\n## {}\n", rule.name)).unwrap_or_else(|| panic!("no section for {url}"));
            let body = body.split("\n## ").next().unwrap();
            for part in ["**Meaning.**", "**First look.**", "**Usual causes.**", "**Queries.**"] {
                assert!(body.contains(part), "{url} lacks {part}");
            }
        }
    }
}
