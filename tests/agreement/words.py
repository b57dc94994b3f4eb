"""words.py CASES: what scipy says about the texts in CASES, as one JSON object by case.

CASES holds a list of {window, reference}, each a list of texts, each a list of the buckets of its words.
"""

import json
import sys

import numpy as np
from scipy import stats
from scipy.spatial import distance

BUCKETS = 512


def matrix(texts):
    found = np.zeros((len(texts), BUCKETS))
    for row, buckets in zip(found, texts):
        row[buckets] = 1
    return found


def p_of_buckets(w, r):
    """Two-sided p of each bucket: conditional binomial test."""
    share = w.sum() / (w.sum() + r.sum())
    tails = [np.minimum(stats.binom.sf(w - 1, w + r, share), stats.binom.cdf(w, w + r, share))]
    return np.minimum(1, 2 * tails[0])


def variance(texts, buckets):
    lengths = texts.sum(axis=1)
    return (buckets - (lengths**2).sum() / lengths.sum()) / lengths.sum()


def compare(case):
    window, reference = (matrix(case[side]) for side in ("window", "reference"))
    w, r = window.sum(axis=0), reference.sum(axis=0)
    used = w + r > 0
    buckets = int(used.sum())
    js = distance.jensenshannon(w[used] / w.sum(), r[used] / r.sum(), base=2)
    least = p_of_buckets(w[used], r[used]).min()
    both, n = np.concatenate([window, reference])[:, used], len(window)
    chance = np.random.default_rng(1)
    permuted, extreme = [], 0
    for _ in range(300):
        order = chance.permutation(len(both))
        here, there = both[order[:n]].sum(axis=0), both[order[n:]].sum(axis=0)
        permuted.append(distance.jensenshannon(here / here.sum(), there / there.sum(), base=2))
        extreme += p_of_buckets(here, there).min() <= least
    return {
        "js": js,
        "p": min(1, buckets * least),
        "expected": np.sqrt((variance(window, buckets) + variance(reference, buckets)) / (8 * np.log(2))),
        "permuted": np.mean(permuted),
        "permuted_p": (extreme + 1) / 301,
    }


with open(sys.argv[1]) as file:
    print(json.dumps([{key: float(value) for key, value in compare(case).items()} for case in json.load(file)]))
