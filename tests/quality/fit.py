"""Fits the constants of src/score/groundedness.rs: `fit.py PROGRAM` prints them, and what each set scores when left out.

The form is that of groundedness.rs. All weights are bounded below by 0, contradictions by a floor (a contradiction must count even where
the sets hold few), the first person and the rarest contradictions from above (an assistant may say `I`); swapped roles, of which the sets hold
one, count like a denial. Scatter has a floor too: summaries
with small edits, whose paraphrases are the supported ones, would else talk it down for all. Every set and class weighs alike. Slope,
scatter and intercept are stretched by one factor chosen on the sets other than summedits, whose labels hardly show in the evidence and would
flatten the curve for all.
"""
import sys

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import sets

WORD, FLOOR, STRETCH, RIDGE = 6.0, 0.3, 1.3, 1e-3
NAMES = ["novel_numbers", "other_number", "novel_names", "opposites", "negated", "new_negation", "sole_negation", "exclusions", "misplaced", "first_person",
         "swapped"]
BOUNDS = [(0, 30), (1, 30), (0, 30), (0, 5), (3.25, 30), (0.5, 30), (0, 3), (1, 30), (0.3, 30), (0, 1), (3.25, 3.25)]
LEAST_SCATTER = 3.75
FITTED = ["begin", "mtrag_human", "wice", "summedits"]


class Evidence:
    """A set's sentences as arrays."""

    def __init__(self, rows):
        rows = [row for row in rows if row[3]["state"] == "scored"]
        self.label = np.array([row[0] for row in rows])
        sentences = [(at, found) for at, row in enumerate(rows) for found in row[3]["evidence"]]
        self.answer = np.array([at for at, _ in sentences])
        words = np.array([found["weight"] for _, found in sentences]) / WORD + 1
        novel = np.array([found["novel"] for _, found in sentences]) / WORD
        self.novel = novel**2 / words
        self.counts = np.array([[found[name] for name in NAMES] for _, found in sentences])
        self.number = np.array([len(row[3]["evidence"]) for row in rows], float)
        outside = [sum(found["outside"] for found in row[3]["evidence"]) for row in rows]
        weight = [sum(found["weight"] for found in row[3]["evidence"]) for row in rows]
        self.scatter = (np.array(outside) / np.array(weight)) ** 1.5
        positive, negative = self.label.sum(), (1 - self.label).sum()
        self.weight = np.where(self.label == 1, 0.5 / positive, 0.5 / negative)


def logit(constants, part):
    """Ungroundedness as a logit, and what its gradient needs. Constants: weights, slope, intercept, scatter."""
    weights, (slope, intercept, scatter) = constants[: len(NAMES)], constants[len(NAMES):]
    risk = part.novel + part.counts @ weights + 1e-6
    squares = np.bincount(part.answer, risk**2, len(part.number))
    pool = np.sqrt(squares / np.sqrt(part.number))
    return slope * np.log(FLOOR + pool) + intercept + scatter * part.scatter, (risk, squares, pool)


def loss(constants, parts, scale):
    count = len(NAMES)
    total = RIDGE * ((constants[:count] * scale) ** 2).sum()
    gradient = np.zeros(count + 3)
    gradient[:count] = 2 * RIDGE * constants[:count] * scale**2
    for part in parts:
        value, (risk, squares, pool) = logit(constants, part)
        total += (part.weight * (np.logaddexp(0, value) - part.label * value)).sum()
        error = part.weight * (1 / (1 + np.exp(-value)) - part.label)
        gradient[count:] += [(error * np.log(FLOOR + pool)).sum(), error.sum(), (error * part.scatter).sum()]
        by_squares = error * constants[count] / (FLOOR + pool) * pool / (2 * squares)
        gradient[:count] += part.counts.T @ (by_squares[part.answer] * 2 * risk)
    return total, gradient


def fit(parts):
    scale = np.sqrt(np.mean([part.counts.std(0) ** 2 for part in parts], 0)) + 1e-3
    start = np.array([max(0.3, low) for low, _ in BOUNDS] + [1.5, 0.0, LEAST_SCATTER])
    bounds = BOUNDS + [(0.2, 5), (None, None), (LEAST_SCATTER, 8)]
    return minimize(loss, start, args=(parts, scale), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 800}).x


def left_out(grounded):
    """Per set: (AUROC, balanced accuracy) on it of constants fitted without it."""
    parts = {name: Evidence(rows) for name, rows in grounded.items()}
    results = {}
    for name, part in parts.items():
        value, _ = logit(fit([parts[other] for other in FITTED if other != name]), part)
        results[name] = roc_auc_score(part.label, value), balanced_accuracy_score(part.label, value > 0)
    return results


def main():
    grounded = sets.grounded(sys.argv[1])
    parts = {name: Evidence(rows) for name, rows in grounded.items()}
    constants = fit([parts[name] for name in FITTED])
    constants[len(NAMES):] *= STRETCH
    for name, value in zip(NAMES + ["SLOPE", "INTERCEPT", "SCATTER"], constants):
        print(f"{name:16}{value:8.2f}")
    for name, (area, accuracy) in left_out(grounded).items():
        print(f"without {name:14} AUROC {area:.3f}  balanced accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
