"""What sacrebleu, rouge-score, nltk and scikit-learn say of the pairs that the agreement tests compare.

Called as `python - SUBJECT DATA TEXT`, where DATA is a folder of labelled sets (or missing) and TEXT is prose of the project's own.
Prints one JSON object: where the pairs come from, and the pairs with the libraries' numbers.
"""
import gzip
import json
import random
import re
import string
import sys
from collections import Counter
from pathlib import Path

SUBJECT, DATA, TEXT = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
CHANCE = random.Random(20260504)

# Pairs that corpora rarely hold.
CORNERS = [
    ("", ""), ("", "word"), ("word", ""), (" ", "\n"), ("word", "word"), ("word", "other"), ("Word.", "word"), ("a", "the"),
    ("the", "the"), ("The an a", "a"), ("!!!", "???"), ("!!!", "!!!"), ("...", ". . ."), ("-", "--"), ("3.14", "3.14"), ("3,000.", "3,000"),
    ("1-2", "1 - 2"), ("x-\ny", "xy"), ("a &amp; b &lt;c&gt; &quot;d&quot;", "a & b <c> \"d\""), ("&amp;lt;", "<"), ("<skipped>one", "one"),
    ("U.S.A.", "U.S.A"), (".5", "0.5"), ("5.", "5"), ("a.b,c", "a . b , c"), ("don't", "do n't"), ("it's the cat's", "its cats"),
    ("__init__", "init"), ("foo_bar", "foo bar"), ("a_the_b", "ab"), ("tab\tseparated\x0btext", "tab separated text"),
    ("file\x1cgroup\x1drecord\x1eunit\x1fend", "file group record unit end"), ("non\u00a0breaking", "non breaking"),
    ("zero\u200bwidth", "zerowidth"), ("\ufeffmark", "mark"), ("e\u0301te\u0301", "\u00e9t\u00e9"), ("a\u0301 the\u0301", "a the"),
    ("Stra\u00dfe", "STRASSE"), ("\u0130stanbul", "istanbul"), ("\u039f\u0394\u039f\u03a3 \u03a3", "\u03bf\u03b4\u03bf\u03c2 \u03c3"), ("\u212a", "k"),
    ("\ufb01ne", "fine"), ("\u24b6 \u24d0", "a"), ("\u00b2 \u00bd \u2460", "2"), ("\u5317\u4eac\u662f\u4e2d\u56fd\u7684\u9996\u90fd\u3002", "\u4e2d\u56fd\u7684\u9996\u90fd\u662f\u5317\u4eac\u3002"),
    ("\u6211\u4eec\u3000\u4e0b\u5348\u4e09\u70b9\u5f00\u4f1a\uff0c\u597d\u5417\uff1f", "\u6211\u4eec\u4e0b\u53483\u70b9\u5f00\u4f1a\uff0c\u53ef\u4ee5\u5417\uff1f"),
    ("\u0627\u0644\u0642\u0627\u0647\u0631\u0629 \u0647\u064a \u0639\u0627\u0635\u0645\u0629 \u0645\u0635\u0631.", "\u0639\u0627\u0635\u0645\u0629 \u0645\u0635\u0631 \u0647\u064a \u0627\u0644\u0642\u0627\u0647\u0631\u0629\u060c \u0646\u0639\u0645"),
    ("\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627 \u0628\u0650\u0643", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0643"),
    ("\u0926\u093f\u0932\u094d\u0932\u0940 \u092d\u093e\u0930\u0924 \u0915\u0940 \u0930\u093e\u091c\u0927\u093e\u0928\u0940 \u0939\u0948\u0964", "\u092d\u093e\u0930\u0924 \u0915\u0940 \u0930\u093e\u091c\u0927\u093e\u0928\u0940 \u0926\u093f\u0932\u094d\u0932\u0940 \u0939\u0948"),
    ("\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e", "\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e\u0e2f"), ("\ud55c\uad6d\uc5b4 \ubb38\uc7a5", "\ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4"),
    ("\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440"), ("\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd"),
    ("\U0001f600\U0001f680 great \U0001f44d\U0001f3fd", "great \U0001f44d\U0001f680"), ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\U0001f469\U0001f467"),
    ("one\ntwo three\n\nfour", "two\nthree four\none"), ("\n\n", "a\n"), ("a b c d\ne f g h", "d c b a\nh g f e\na e"),
    ("one two one two one two", "two one two one"), ("yyyyyyyy yyy y", "yyyyyy yy"), ("\x00 \x00\x00", "\x00"), ("<<>>{}[]()", "( ) [ ] { } < >"),
    ("`code` and \"quotes\" -- dash; semi: colon", "code and quotes - dash semi colon"), ("skies dying news innings proceed", "sky die new inning proceeds"),
    ("happily relational conditional rationally radically geologically", "happy relate condition rational radical geology"),
]
SCRIPTS = ["\u5317\u4eac\u5929\u6c14\u5f88\u597d\u6211\u4eec\u53bb\u516c\u56ed\u73a9\u3002\uff0c\uff1f", "\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645 \u0648\u0631\u062d\u0645\u0629\u060c\u061f", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0915\u0948\u0938\u0947 \u0939\u094b\u0964",
           "\U0001f600\U0001f680\u2764\ufe0f\U0001f44d\U0001f3fd \u200d", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?", ".,-;:!?'\"()[]{}<>/\\&@#$%^*_+=|~` 0123456789ab\n"]


def rows(name, part="train"):
    with gzip.open(DATA / name / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def made(count):
    """Pairs of the project's own prose: each sentence with words of it dropped, doubled, moved, or cut short."""
    sentences = [text.strip() for text in re.split(r"(?<=[.?!])\s+", TEXT.read_text(encoding="utf-8")) if text.strip()]
    for at in range(count):
        words = CHANCE.choice(sentences).split(" ")
        other = [word for word in words if CHANCE.random() > 0.2] or words[:1]
        for _ in range(CHANCE.randrange(3)):
            other.insert(CHANCE.randrange(len(other) + 1), CHANCE.choice(words))
        if at % 3 == 0:
            CHANCE.shuffle(other)
        yield " ".join(words), CHANCE.choice([" ", " ", "\n"]).join(other)


def corpora():
    """Pairs of texts about the same thing from the labelled sets."""
    for row in rows("begin"):
        yield row["response"], row["context"][0]
    for row in rows("pandalm_human"):
        yield row["response1"], row["response2"]
    for row in rows("haluquestqa"):
        yield row["ans1_text"], row["ans2_text"]
    for name, key in (("halueval_qa", "question"), ("summedits", "doc")):
        before = None
        for row in rows(name):
            if before and before[key] == row[key]:
                yield row["response"], before["response"]
            before = row


def pairs():
    real = DATA.is_dir()
    found, long = [], 0
    for pair in corpora() if real else made(3000):
        pair = tuple(map(str, pair))
        size = max(map(len, pair))
        long += size > 500
        if size <= 500 or size <= 3000 and long <= 40:
            found.append(pair)
    found = CHANCE.sample(found, min(len(found), 3000))
    # One word each, alike enough to try the stemmer.
    words = sorted({word for pair in found for text in pair for word in re.findall(r"[a-z]{3,}", text.lower())})
    single = list(zip(words, words[1:]))
    single = CHANCE.sample(single, min(len(single), 2500))
    noise = []
    for script in SCRIPTS:
        for _ in range(60):
            one = "".join(CHANCE.choice(script) for _ in range(CHANCE.randrange(30)))
            other = "".join(CHANCE.choice(script) for _ in range(CHANCE.randrange(30)))
            noise += [(one, other), (one, one[CHANCE.randrange(len(one) + 1):] + other[:5])]
    own = "generated from the project's own prose" if not real else "of the labelled sets"
    origin = f"{len(found)} pairs {own}, {len(single)} of single words, {len(noise)} in other scripts and punctuation, {len(CORNERS)} corner cases"
    return origin, found + single + noise + CORNERS


def squad(response, reference):
    """compute_exact and compute_f1 of the evaluation script of SQuAD 2.0."""
    def words(text):
        text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
        return re.compile(r"\b(a|an|the)\b", re.UNICODE).sub(" ", text).split()
    gold, given = words(reference), words(response)
    exact = int(" ".join(gold) == " ".join(given))
    if not gold or not given:
        return exact, int(gold == given)
    same = sum((Counter(gold) & Counter(given)).values())
    if same == 0:
        return exact, 0
    precision, recall = same / len(given), same / len(gold)
    return exact, 2 * precision * recall / (precision + recall)


def texts():
    from nltk.translate.meteor_score import meteor_score
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    class NoSynonyms:
        """WordNet that knows none: its data is not on PyPI."""
        def synsets(self, word):
            return []

    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    plain, stemmed = RougeScorer(kinds), RougeScorer(kinds, use_stemmer=True)
    corpus, sentence, letters = BLEU(), BLEU(effective_order=True), CHRF()
    origin, found = pairs()
    out = []
    for response, reference in found:
        bleu = sentence.sentence_score(response, [reference])
        rouge = [[*scorer.score(reference, response)[kind]] for scorer in (plain, stemmed) for kind in kinds]
        exact, f1 = squad(response, reference)
        out.append({
            "response": response, "reference": reference, "bleu": bleu.score, "matched": bleu.counts, "ngrams": bleu.totals,
            "reference_length": bleu.ref_len, "chrf": letters.sentence_score(response, [reference]).score, "rouge": rouge,
            "meteor": meteor_score([reference.split()], response.split(), wordnet=NoSynonyms()), "token_f1": f1, "exact": exact})
    step = 250
    corpora = []
    for start in range(0, len(found), step):
        part = found[start:start + step]
        corpora.append(corpus.corpus_score([one for one, _ in part], [[other for _, other in part]]).score)
    return {"origin": origin, "pairs": out, "step": step, "corpora": corpora}


def classes():
    import numpy as np
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, precision_recall_fscore_support

    chance = np.random.default_rng(7)
    if DATA.is_dir():
        # The label is the generator of an answer, the prediction that of the next answer to the same or another question.
        names = [row["model"] for row in rows("begin")] + [row["model"] for row in rows("mtrag_human")]
        tasks = [str(row["label"]) for row in rows("halueval_qa")]
        origin = "labels of the labelled sets, probabilities drawn at random"
    else:
        names = [str(name) for name in chance.choice(["billing", "shipping", "退款", "أخرى", "🙂"], 3000)]
        tasks = [str(label) for label in chance.choice(["0", "1"], 2500)]
        origin = "labels and probabilities drawn at random"
    out = []
    for labels in (names, tasks, ["a"] * 20 + ["b"], ["x", "y"]):
        kinds = sorted(set(labels))
        weights = chance.dirichlet(np.ones(len(kinds)) * 0.4, len(labels))
        weights[0], weights[1] = np.eye(len(kinds))[0], np.eye(len(kinds))[-1]
        weights[2:3] = np.round(weights[2:3], 1) / np.round(weights[2:3], 1).sum()
        truth = np.array([kinds.index(label) for label in labels])
        weights = np.where((chance.random(len(labels)) < 0.4)[:, None], (weights + 3 * np.eye(len(kinds))[truth]) / 4, weights)
        guesses = [kinds[at] for at in weights.argmax(axis=1)]
        if len(kinds) > 2:
            # A class that is never the label, and one that is never predicted.
            guesses = ["unheard of" if at % 97 == 0 else guess for at, guess in enumerate(guesses)]
            guesses = [kinds[0] if guess == kinds[-1] else guess for guess in guesses]
        averages = {name: precision_recall_fscore_support(labels, guesses, average=name, zero_division=0)[:3] for name in ("micro", "macro", "weighted")}
        every = sorted(set(labels) | set(guesses))
        each = precision_recall_fscore_support(labels, guesses, average=None, labels=every, zero_division=0)
        confidence = np.array([weights[at, kinds.index(guess)] if guess in kinds else 0.0 for at, guess in enumerate(guesses)])
        right = np.array([int(label == guess) for label, guess in zip(labels, guesses)])
        shares, means = calibration_curve(right, confidence, n_bins=10, strategy="uniform")
        counts = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], confidence), minlength=10)
        error = float((np.abs(shares - means) * counts[counts > 0]).sum() / len(labels))
        out.append({
            "labels": labels, "guesses": guesses, "probabilities": [dict(zip(kinds, map(float, row))) for row in weights],
            "accuracy": accuracy_score(labels, guesses), "averages": averages, "classes": every, "each": [list(map(float, row)) for row in each],
            "cross_entropy": log_loss(labels, weights, labels=kinds), "brier": brier_score_loss(labels, weights if len(kinds) > 2 else weights[:, 1], **({"labels": kinds} if len(kinds) > 2 else {"pos_label": kinds[1]})),
            "calibration_error": error})
    return {"origin": origin, "sets": out}


def embeddings():
    import numpy as np

    chance = np.random.default_rng(11)
    out = []
    for _ in range(2000):
        one, other = (chance.normal(0.2, 1, (chance.integers(1, 12), 8)) for _ in range(2))
        cosines = (one / np.linalg.norm(one, axis=1, keepdims=True)) @ (other / np.linalg.norm(other, axis=1, keepdims=True)).T
        precision, recall = cosines.max(axis=1).mean(), cosines.max(axis=0).mean()
        f1 = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
        out.append({"one": one.tolist(), "other": other.tolist(), "expected": [precision, recall, f1]})
    return {"origin": "drawn at random", "pairs": out}


json.dump({"texts": texts, "classes": classes, "embeddings": embeddings}[SUBJECT](), sys.stdout)
