//! The texts of the fictional company Larkfield, read from the files in `text/`.
//!
//! The help centre, the phrases around questions and answers, the translators' sentences and the incoming tickets. Every
//! article carries, beside its sentences, claims that contradict it and claims that it does not make: what an assistant
//! says when it stops sticking to its contexts. The format is explained at the top of each file.

use std::collections::BTreeMap;

/// When an article exists in the help centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Since long ago.
    Always,
    /// Since the safety recall.
    Recall,
    /// Since the launch of the steam oven.
    Launch,
}

/// An article of the help centre.
pub(super) struct Article {
    pub(super) id: &'static str,
    pub(super) product: &'static str,
    pub(super) tag: Tag,
    /// All sentences, joined: the passage that the index serves.
    pub(super) body: String,
    pub(super) sentences: Vec<&'static str>,
    pub(super) questions: Vec<Question>,
    /// False claims, each with the position of the sentence that it contradicts.
    pub(super) false_claims: Vec<(usize, &'static str)>,
    /// Claims that the article does not make.
    pub(super) additions: Vec<&'static str>,
}

/// A question and the positions of the sentences that answer it.
pub(super) struct Question {
    pub(super) text: &'static str,
    pub(super) answered_by: Vec<usize>,
}

/// A sentence in three languages.
pub(super) struct Translation {
    pub(super) english: &'static str,
    pub(super) german: &'static str,
    pub(super) french: &'static str,
}

/// An incoming e-mail and its true class.
pub(super) struct Ticket {
    pub(super) label: &'static str,
    pub(super) text: &'static str,
}

/// All texts.
pub(super) struct Library {
    pub(super) articles: Vec<Article>,
    pub(super) translations: Vec<Translation>,
    pub(super) tickets: Vec<Ticket>,
    /// The classes of the tickets, each once, in order.
    pub(super) labels: Vec<&'static str>,
    phrases: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Library {
    /// Reads the texts that are compiled into the program.
    pub(super) fn read() -> Self {
        let tickets: Vec<Ticket> = lines(include_str!("text/tickets.txt"))
            .filter_map(|line| line.split_once(" | "))
            .map(|(label, text)| Ticket { label, text })
            .collect();
        let mut labels: Vec<_> = tickets.iter().map(|ticket| ticket.label).collect();
        labels.sort_unstable();
        labels.dedup();
        let mut phrases = BTreeMap::<_, Vec<_>>::new();
        for (kind, phrase) in lines(include_str!("text/small_talk.txt")).filter_map(|line| line.split_once(" | ")) {
            phrases.entry(kind).or_default().push(phrase);
        }
        let translations = lines(include_str!("text/translations.txt")).filter_map(|line| {
            let mut parts = line.split(" | ");
            Some(Translation { english: parts.next()?, german: parts.next()?, french: parts.next()? })
        });
        Self {
            articles: articles(include_str!("text/help_articles.txt")),
            translations: translations.collect(),
            tickets,
            labels,
            phrases,
        }
    }

    /// The phrases of one kind.
    pub(super) fn phrases(&self, kind: &str) -> &[&'static str] {
        self.phrases.get(kind).map_or(&[], Vec::as_slice)
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn articles(text: &'static str) -> Vec<Article> {
    let mut articles: Vec<Article> = Vec::new();
    for line in lines(text) {
        if let Some(head) = line.strip_prefix('@') {
            let mut parts = head.split(" | ");
            let (id, product, _title) = (parts.next(), parts.next(), parts.next());
            let tag = match parts.next() {
                Some("recall") => Tag::Recall,
                Some("launch") => Tag::Launch,
                _ => Tag::Always,
            };
            articles.push(Article {
                id: id.unwrap_or_default(),
                product: product.unwrap_or_default(),
                tag,
                body: String::new(),
                sentences: Vec::new(),
                questions: Vec::new(),
                false_claims: Vec::new(),
                additions: Vec::new(),
            });
            continue;
        }
        let Some(article) = articles.last_mut() else { continue };
        if let Some((positions, text)) = line.strip_prefix('?').and_then(|rest| rest.split_once(' ')) {
            article.questions.push(Question { text, answered_by: positions.chars().filter_map(position).collect() });
        } else if let Some((positions, claim)) = line.strip_prefix('!').and_then(|rest| rest.split_once(' ')) {
            article.false_claims.extend(positions.chars().filter_map(position).map(|at| (at, claim)));
        } else if let Some(claim) = line.strip_prefix("+ ") {
            article.additions.push(claim);
        } else {
            if !article.body.is_empty() {
                article.body.push(' ');
            }
            article.body.push_str(line);
            article.sentences.push(line);
        }
    }
    articles
}

/// The position that a digit names: `1` is the first sentence.
fn position(digit: char) -> Option<usize> {
    usize::try_from(digit.to_digit(10)?).ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::{Library, Tag};

    #[test]
    fn every_question_names_sentences_that_exist_and_every_article_can_be_got_wrong() {
        let library = Library::read();
        assert!(library.articles.len() >= 50);
        for article in &library.articles {
            assert!((3..=8).contains(&article.sentences.len()), "{}", article.id);
            assert!(
                article.questions.len() >= 2 && !article.false_claims.is_empty() && !article.additions.is_empty(),
                "{}",
                article.id
            );
            let positions = article.questions.iter().flat_map(|question| question.answered_by.iter());
            for at in positions.chain(article.false_claims.iter().map(|(at, _)| at)) {
                assert!(*at < article.sentences.len(), "{}", article.id);
            }
            assert!(article.questions.iter().all(|question| !question.answered_by.is_empty()), "{}", article.id);
        }
        let tagged = |tag| library.articles.iter().filter(|article| article.tag == tag).count();
        assert!(tagged(Tag::Recall) >= 3 && tagged(Tag::Launch) >= 5);
        assert!(library.translations.len() >= 30 && library.tickets.len() >= 30 && library.labels.len() >= 6);
    }
}
