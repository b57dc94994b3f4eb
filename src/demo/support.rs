//! The support bot: questions of customers, passages from the help centre, answers made from the passages.
//!
//! A good answer says what the sentences say that answer the question, with a few words around them; now and then it adds
//! a claim of its own, as real ones do. Under prompt v8 most answers contradict their contexts or go beyond them. While the
//! index is stale, questions about the recall meet passages about other things.

use super::chance::{Chance, real, tokens, whole};
use super::company::{Answer, App, Meter, customer, end, ending, feedback, fill, request};
use super::library::{Article, Library, Question, Tag};
use super::timetable::{BAD_PROMPT, LAUNCH, RECALL_QUESTIONS, STALE_INDEX, SUPPORT};
use super::wire::{Feedback, Finding, Passage, Request};

const APP: App = App {
    name: SUPPORT,
    route: "/v1/support/chat",
    provider: "azure.ai.openai",
    deployment: "support-weu-1",
    request_model: "gpt-4.1-mini",
    response_model: "gpt-4.1-mini-2025-04-14",
    prices: [0.4, 0.1, 1.6],
    limits: (400_000, 600),
};

/// How well the assistant did, which decides what users say of it.
#[derive(Clone, Copy)]
enum Quality {
    Good,
    Invented,
    Refused,
    BesideThePoint,
}

/// The support bot's traffic.
pub(super) struct Support {
    chance: Chance,
    meter: Meter,
    /// Recent conversations that may go on: customer, id, number of turns.
    open: Vec<(String, String, i64)>,
}

impl Support {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed, 1), meter: Meter::default(), open: Vec::new() }
    }

    /// One request that ends at `at_us` in the given minute, and what its user says of the answer.
    pub(super) fn request(&mut self, library: &Library, at_us: i64, minute: u32, index: &str) -> (Request, Vec<Feedback>) {
        let (user, conversation, turn) = self.conversation();
        let mut request = request(&APP, &mut self.chance, at_us, user);
        request.conversation_id = Some(conversation);
        request.index = Some(format!("help-center@{index}"));
        let bold = BAD_PROMPT.holds(minute);
        request.prompt_version = if bold { "v8" } else { "v7" };

        let asked = self.subject(library, minute);
        request.prompt = match asked {
            Some((article, question)) => self.question(library, question.text, article.tag),
            None => self.chance.pick(library.phrases("offtopic")).to_string(),
        };
        let retrieved = self.retrieve(library, asked.map(|(article, _)| article), minute);
        let (text, quality) = match asked {
            None => (self.refusal(library), Quality::Refused),
            Some((article, _)) if article.tag == Tag::Recall && STALE_INDEX.holds(minute) => self.lost_answer(library, &retrieved),
            Some((article, question)) if bold && self.chance.happens(0.92) => {
                (self.bold_answer(library, article, question), Quality::Invented)
            }
            Some((article, question)) => (self.answer(library, article, question), Quality::Good),
        };
        request.contexts = self.passages(&retrieved, asked.map(|(article, _)| article.id));

        let passages: i64 = request.contexts.iter().map(|passage| tokens(&passage.text)).sum();
        let history = (turn - 1) * self.chance.between(140, 260);
        let template = if bold { 702 } else { 648 };
        let input_tokens = template + passages + tokens(&request.prompt) + history;
        let answer = Answer { text, input_tokens, cached_input_tokens: 512, first_token_ms: 520.0, token_ms: 14.0 };
        let ending = ending(&mut self.chance, 0.004);
        end(&APP, &mut self.chance, &mut self.meter, &mut request, answer, ending);
        request.safety = self.safety(request.status == "filtered");
        let feedback = if request.response.is_some() { self.opinions(library, &request, quality) } else { Vec::new() };
        (request, feedback)
    }

    /// A new conversation, or the next turn of a recent one.
    fn conversation(&mut self) -> (String, String, i64) {
        if self.open.len() > 40 && self.chance.happens(0.3) {
            let at = self.chance.between(0, 40);
            let (user, id, turn) = self.open.swap_remove(usize::try_from(at).unwrap_or(0));
            if turn < 4 {
                self.open.push((user.clone(), id.clone(), turn + 1));
            }
            return (user, id, turn + 1);
        }
        let fresh = (customer(&mut self.chance), format!("conv_{}", self.chance.hex(12)), 1);
        self.open.push(fresh.clone());
        if self.open.len() > 60 {
            self.open.remove(0);
        }
        fresh
    }

    /// What the customer asks about; nothing if it has nothing to do with the company's products.
    fn subject<'a>(&mut self, library: &'a Library, minute: u32) -> Option<(&'a Article, &'a Question)> {
        if self.chance.happens(0.03) {
            return None;
        }
        let tag = if RECALL_QUESTIONS.holds(minute) && self.chance.happens(0.6) {
            Tag::Recall
        } else if LAUNCH.holds(minute) && self.chance.happens(0.7) {
            Tag::Launch
        } else {
            Tag::Always
        };
        let articles: Vec<&Article> = library.articles.iter().filter(|article| article.tag == tag).collect();
        let article = self.chance.pick(&articles);
        Some((article, self.chance.one_of(&article.questions)))
    }

    /// A question as a customer types it.
    fn question(&mut self, library: &Library, text: &str, tag: Tag) -> String {
        let mut parts: Vec<String> = Vec::new();
        if tag == Tag::Launch {
            parts.push(self.chance.pick(library.phrases("lead")).to_owned());
        }
        parts.push(text.to_owned());
        if self.chance.happens(0.45) {
            let greeting = self.chance.pick(library.phrases("greeting"));
            parts[0] = format!("{greeting} {}", without_capital(&parts[0], library));
        }
        if self.chance.happens(0.12) {
            let phrase = self.chance.pick(library.phrases("pii"));
            parts.push(fill(phrase, &mut self.chance, library));
        }
        if self.chance.happens(0.3) {
            let phrase = self.chance.pick(library.phrases("closing"));
            parts.push(fill(phrase, &mut self.chance, library));
        }
        let text = parts.join(" ");
        if self.chance.happens(0.15) { text.to_lowercase() } else { text }
    }

    /// The three articles that the index returns, best first.
    fn retrieve<'a>(&mut self, library: &'a Library, asked: Option<&'a Article>, minute: u32) -> Vec<&'a Article> {
        let known = |article: &&Article| match article.tag {
            Tag::Always => true,
            Tag::Recall => minute >= STALE_INDEX.to,
            Tag::Launch => minute >= LAUNCH.from,
        };
        let mut retrieved: Vec<&Article> = Vec::new();
        let product = match asked {
            Some(article) if known(&article) => {
                retrieved.push(article);
                article.product
            }
            // The retriever knows nothing better than the general pages of the service.
            _ => "Service",
        };
        let mut near: Vec<&Article> = library.articles.iter().filter(known).filter(|article| article.product == product).collect();
        if near.len() < 4 {
            near.extend(library.articles.iter().filter(|article| article.tag == Tag::Always));
        }
        while retrieved.len() < 3 {
            let candidate = self.chance.pick(&near);
            if retrieved.iter().all(|article| article.id != candidate.id) {
                retrieved.push(candidate);
            }
        }
        if self.chance.happens(0.14) {
            retrieved.swap(0, 1);
        }
        retrieved
    }

    /// The passages as the gateway logs them, with the retriever's scores.
    fn passages(&mut self, retrieved: &[&Article], asked: Option<&str>) -> Vec<Passage> {
        let fits = retrieved.iter().any(|article| Some(article.id) == asked);
        let mut score = if fits { self.chance.uniform(0.82, 0.93) } else { self.chance.uniform(0.48, 0.61) };
        let mut passages = Vec::with_capacity(retrieved.len());
        for (article, rank) in retrieved.iter().zip(1..) {
            passages.push(Passage {
                id: format!("{}#1", article.id),
                text: article.body.clone(),
                score: real(whole(score * 10_000.0)) / 10_000.0,
                source: "help-center",
                rank,
            });
            score -= self.chance.uniform(0.03, 0.12);
        }
        passages
    }

    /// An answer that sticks to the article.
    fn answer(&mut self, library: &Library, article: &Article, question: &Question) -> String {
        let mut sentences: Vec<&str> = pick_sentences(article, question);
        if self.chance.happens(0.35) {
            let extra = self.chance.pick(&article.sentences);
            if !sentences.contains(&extra) {
                sentences.push(extra);
            }
        }
        if self.chance.happens(0.04) {
            sentences.push(self.chance.pick(&article.additions));
        }
        let opener = self.chance.happens(0.3).then_some("opener");
        let closer = self.chance.happens(0.18).then_some("closer");
        self.compose(library, opener, &sentences, closer)
    }

    /// An answer under prompt v8: sure of itself, and for the most part not from the contexts.
    fn bold_answer(&mut self, library: &Library, article: &Article, question: &Question) -> String {
        let mut sentences: Vec<&str> = Vec::new();
        for (at, sentence) in article.sentences.iter().enumerate() {
            if !question.answered_by.contains(&at) {
                continue;
            }
            let wrong = article.false_claims.iter().find(|(position, _)| *position == at);
            match wrong {
                Some((_, claim)) if self.chance.happens(0.85) => sentences.push(claim),
                _ => sentences.push(sentence),
            }
        }
        if self.chance.happens(0.6) {
            sentences.extend(
                article
                    .false_claims
                    .iter()
                    .map(|(_, claim)| *claim)
                    .filter(|claim| !sentences.contains(claim))
                    .take(1)
                    .collect::<Vec<_>>(),
            );
        }
        if self.chance.happens(0.9) {
            sentences.push(self.chance.pick(&article.additions));
        }
        let opener = self.chance.happens(0.6).then_some("bold_opener");
        let closer = self.chance.happens(0.4).then_some("bold_closer");
        self.compose(library, opener, &sentences, closer)
    }

    /// An answer to a question that the contexts say nothing about.
    fn lost_answer(&mut self, library: &Library, retrieved: &[&Article]) -> (String, Quality) {
        if self.chance.happens(0.3) {
            return (self.refusal(library), Quality::Refused);
        }
        let article = self.chance.pick(retrieved);
        let question = self.chance.one_of(&article.questions);
        let sentences = pick_sentences(article, question);
        let opener = self.chance.happens(0.4).then_some("opener");
        (self.compose(library, opener, &sentences, None), Quality::BesideThePoint)
    }

    fn refusal(&mut self, library: &Library) -> String {
        self.chance.pick(library.phrases("refusal")).to_string()
    }

    /// Joins sentences to an answer, some with a link between them.
    fn compose(&mut self, library: &Library, opener: Option<&str>, sentences: &[&str], closer: Option<&str>) -> String {
        let mut text = String::new();
        if let Some(kind) = opener {
            text.push_str(self.chance.pick(library.phrases(kind)));
        }
        for (at, sentence) in sentences.iter().enumerate() {
            if !text.is_empty() {
                text.push(' ');
            }
            if at > 0 && self.chance.happens(0.25) {
                text.push_str(self.chance.pick(library.phrases("link")));
                text.push(' ');
                text.push_str(&without_capital(sentence, library));
            } else {
                text.push_str(sentence);
            }
        }
        if let Some(kind) = closer {
            text.push(' ');
            text.push_str(self.chance.pick(library.phrases(kind)));
        }
        text
    }

    fn safety(&mut self, filtered: bool) -> Vec<Finding> {
        let severity = if filtered {
            "high"
        } else if self.chance.happens(0.01) {
            "low"
        } else {
            "safe"
        };
        ["hate", "violence"]
            .map(|category| {
                let severity = if category == "hate" { severity } else { "safe" };
                Finding { category, severity, filtered: filtered && category == "hate", stage: "prompt" }
            })
            .into()
    }

    /// Thumbs after a few minutes, and whether the case was closed without a person.
    fn opinions(&mut self, library: &Library, request: &Request, quality: Quality) -> Vec<Feedback> {
        let (positive, resolved) = match quality {
            Quality::Good => (0.91, 0.85),
            Quality::Invented => (0.24, 0.45),
            Quality::Refused => (0.45, 0.10),
            Quality::BesideThePoint => (0.30, 0.25),
        };
        let mut said = Vec::new();
        // People speak up more readily when they are unhappy.
        let up = self.chance.happens(positive);
        if self.chance.happens(if up { 0.13 } else { 0.22 }) {
            let delay = self.chance.log_normal(110.0, 0.9);
            let mut thumb = feedback(&mut self.chance, request, delay, "thumbs", "human");
            thumb.score = Some(if up { 1.0 } else { 0.0 });
            if self.chance.happens(0.25) {
                thumb.comment = Some(self.chance.pick(library.phrases(if up { "up" } else { "down" })));
            }
            said.push(thumb);
        }
        if self.chance.happens(0.2) {
            let delay = self.chance.log_normal(1_100.0, 0.5);
            let mut closed = feedback(&mut self.chance, request, delay, "resolved", "code");
            closed.score = Some(if self.chance.happens(resolved) { 1.0 } else { 0.0 });
            said.push(closed);
        }
        said
    }
}

/// The sentences that answer a question, in their order.
fn pick_sentences(article: &Article, question: &Question) -> Vec<&'static str> {
    question.answered_by.iter().filter_map(|at| article.sentences.get(*at).copied()).collect()
}

/// A sentence as it reads after "Please note:"; product names, codes and "I" keep their capital.
fn without_capital(sentence: &str, library: &Library) -> String {
    let first = sentence.split([' ', '\'']).next().unwrap_or_default();
    let is_name = library.phrases("product").contains(&first)
        || ["Halo", "Larkfield", "Eco", "Glass", "Short"].contains(&first)
        || first == "I"
        || first.chars().skip(1).any(|letter| !letter.is_lowercase() && letter != '-');
    let mut letters = sentence.chars();
    match letters.next() {
        Some(letter) if !is_name => letter.to_lowercase().chain(letters).collect(),
        _ => sentence.to_owned(),
    }
}
