"""Answers with references and labels for a lake, and what the libraries say of the rows that came of them.

`write TEXT FILE` writes gateway logs made from prose; `compare VIEWS` prints [app, metric, expected, published, rows, n] for each metric.
"""
import json
import random
import re
import string
import sys
from collections import Counter

CLASSES = ["billing", "shipping", "\u9000\u6b3e", "other", "\U0001f642"]


def write(prose, file):
    chance = random.Random(3)
    sentences = [text.strip() for text in re.split(r"(?<=[.?!])\s+", open(prose, encoding="utf-8").read()) if text.strip()]
    begin = 1_777_852_800_000
    with open(file, "w", encoding="utf-8") as out:
        for number in range(900):
            words = chance.choice(sentences).split()
            log = {"event_time": begin + number * 90_000, "request_id": str(number), "app": ("translation", "triage")[number % 2], "tenant": "acme"}
            if number % 5:
                other = [word for word in words if chance.random() > 0.3] or ["?"]
                log |= {"response": "\n".join((" ".join(other[:9]), " ".join(other[9:]))), "reference": " ".join(words)}
            if number % 7:
                weights = [chance.random() ** 3 for _ in CLASSES]
                label = chance.choice(CLASSES)
                weights[CLASSES.index(label)] += chance.random()
                probability = {name: weight / sum(weights) for name, weight in zip(CLASSES, weights)}
                log |= {"label": label, "probability": probability}
                if number % 3:
                    log["prediction"] = max(probability, key=probability.get) if chance.random() < 0.9 else "unheard of"
            out.write(json.dumps(log, ensure_ascii=False) + "\n")
        out.write(json.dumps({"event_time": begin + 3 * 86_400_000, "request_id": "last", "app": "triage", "tenant": "acme"}) + "\n")


def squad(response, reference):
    def words(text):
        text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()
    gold, given = words(reference), words(response)
    same = sum((Counter(gold) & Counter(given)).values())
    return (2 * same / (len(gold) + len(given)) if gold and given else float(gold == given)), float(gold == given)


def of_references(pairs):
    from nltk.translate.meteor_score import meteor_score
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    class NoSynonyms:
        def synsets(self, word):
            return []

    def mean(values):
        values = list(values)
        return sum(values) / len(values)

    given, wanted = zip(*pairs)
    sentence, letters = BLEU(effective_order=True), CHRF()
    kinds = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL", "rouge_lsum": "rougeLsum"}
    scorer = RougeScorer(list(kinds.values()))
    rouge = [scorer.score(other, one) for one, other in pairs]
    found = {
        "bleu": BLEU().corpus_score(given, [wanted]).score / 100,
        "sentence_bleu": mean(sentence.sentence_score(one, [other]).score for one, other in pairs) / 100,
        "chrf": mean(letters.sentence_score(one, [other]).score for one, other in pairs) / 100,
        "meteor_exact_stem": mean(meteor_score([other.split()], one.split(), wordnet=NoSynonyms()) for one, other in pairs),
        "token_f1": mean(squad(*pair)[0] for pair in pairs),
        "exact_match": mean(squad(*pair)[1] for pair in pairs),
    }
    found |= {name: mean(scores[kind].fmeasure for scores in rouge) for name, kind in kinds.items()}
    return {f"reference.{name}": value for name, value in found.items()}


def of_labels(rows):
    import numpy as np
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, precision_recall_fscore_support

    kinds = sorted(CLASSES)
    labels = [label for label, _, _ in rows]
    weights = np.array([[json.loads(probability)[kind] for kind in kinds] for _, _, probability in rows])
    guesses = [guess or max(json.loads(probability).items(), key=lambda entry: entry[1])[0] for _, guess, probability in rows]
    confidence = np.array([json.loads(probability).get(guess, 0.0) for guess, (_, _, probability) in zip(guesses, rows)])
    right = np.array([int(label == guess) for label, guess in zip(labels, guesses)])
    shares, means = calibration_curve(right, confidence, n_bins=10, strategy="uniform")
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], confidence), minlength=10)
    found = {
        "accuracy": accuracy_score(labels, guesses), "cross_entropy": log_loss(labels, weights, labels=kinds),
        "brier": brier_score_loss(labels, weights, labels=kinds),
        "calibration_error": float((np.abs(shares - means) * counts[counts > 0]).sum() / len(labels)),
    }
    for average in ("macro", "weighted"):
        scores = precision_recall_fscore_support(labels, guesses, average=average, zero_division=0)
        found |= {f"{name}_{average}": score for name, score in zip(("precision", "recall", "f1"), scores)}
    # Weighted recall is accuracy.
    del found["recall_weighted"]
    return {f"classification.{name}": value for name, value in found.items()}


def compare(views):
    import duckdb

    db = duckdb.connect()
    db.execute(views)
    out = []
    for app in ("translation", "triage"):
        of = lambda columns, known: db.execute(f"SELECT {columns} FROM interactions WHERE app = ? AND {known} IS NOT NULL ORDER BY event_time", [app]).fetchall()
        pairs, rows = of("response, reference", "reference"), of("label, prediction, probability", "label")
        for found, count in ((of_references(pairs), len(pairs)), (of_labels(rows), len(rows))):
            for metric, expected in found.items():
                row = db.execute("SELECT value, n FROM metrics WHERE metric = ? AND app = ? AND window_s = 86400 AND n > 0", [metric, app]).fetchall()
                value, n = row[0] if len(row) == 1 else (None, -1)
                out.append([app, metric, float(expected), value, count, n])
    print(json.dumps(out))


{"write": write, "compare": compare}[sys.argv[1]](*sys.argv[2:])
