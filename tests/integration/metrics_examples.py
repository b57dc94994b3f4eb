"""metrics_examples.py PAGE: computes the numbers of every worked example on the page of metrics, with scipy and statsmodels' formulas.

Each entry below is an example as it must stand on the page, its figures put in as they are computed here. Prints the examples of the
page that are not among them. An example without figures, or one that points to another metric's, needs no entry.
"""

import json
import math
import re
import sys

import numpy as np
from scipy import stats
from scipy.spatial import distance

z = stats.norm.ppf(0.975)


def wilson(bad, n):
    middle, half = (bad + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(bad * (n - bad) / n + z * z / 4)
    return middle - half, middle + half


def newcombe(bad, n, before, m):
    (lo, hi), (lo_before, hi_before) = wilson(bad, n), wilson(before, m)
    difference = bad / n - before / m
    return difference - math.hypot(bad / n - lo, hi_before - before / m), difference + math.hypot(hi - bad / n, before / m - lo_before)


def welch(mean, sd, n, before, sd_before, m):
    errors = sd**2 / n, sd_before**2 / m
    degrees = sum(errors) ** 2 / (errors[0] ** 2 / (n - 1) + errors[1] ** 2 / (m - 1))
    half = stats.t.ppf(0.975, degrees) * math.sqrt(sum(errors))
    return mean - before - half, mean - before + half


def small(number):
    digits, _, power = f"{number:.1e}".partition("e")
    return f"{digits}e{int(power)}"


scores = np.array([0.9, 0.7, 0.8])
mean, sd = scores.mean(), scores.std(ddof=1)
t = stats.t.ppf(0.975, 2)
window, reference = np.array([20, 30, 50]), np.array([400, 300, 300])
n, m, bins = window.sum(), reference.sum(), 3
p, q = (window + 0.5) / (n + bins / 2), (reference + 0.5) / (m + bins / 2)
psi = ((p - q) * np.log(p / q)).sum()
scale = 1 / n + 1 / m
psi_p = stats.chi2.sf(psi / scale, bins - 1)
shares = lambda side: "(" + ", ".join(f"{share:.3f}" for share in side) + ")"
chi = stats.chi2_contingency([window, reference], correction=False)
here, there = np.array([10, 20, 30]), np.array([20, 30, 40])
gaps = [(round(abs((here <= x).mean() - (there <= x).mean()), 9), x) for x in sorted({*here, *there})]
gap, at = max(gaps, key=lambda each: each[0])
still = np.random.default_rng(1).normal(0, 40, 1000)
still *= 40 / still.std()
moved = stats.wasserstein_distance(still + 10, still) / still.std()
mu, nu = np.array([0.8, 0.4, 0]), np.array([0.6, 0, 0.8])
rises = [sum(share * rate for share, rate in zip(mix, (0.01, 0.1))) for mix in ((0.9, 0.1), (0.5, 0.5))]
within = sum(share * (rate - rate) for share, rate in zip((0.9, 0.1), (0.01, 0.1)))
bleu = math.exp(1 - 7 / 6) * (5 / 6 * 2 / 5 * 1 / 4 * 1 / (2 * 3)) ** 0.25
calibration = abs(0.95 - 1 + 0.95) + abs(0.3)
labels, said = list("aab"), list("abb")
by_class = {}
for one in "ab":
    correct = sum(a == b == one for a, b in zip(labels, said))
    by_class[one] = correct / said.count(one), correct / labels.count(one), 2 * correct / (said.count(one) + labels.count(one))
averages = {(at, name): sum(weights[one] * by_class[one][at] for one in "ab") / sum(weights.values())
            for at in range(3) for name, weights in (("macro", {"a": 1, "b": 1}), ("weighted", {"a": 2, "b": 1}))}
assert by_class == {"a": (1, 1 / 2, 2 / 3), "b": (1 / 2, 1, 2 / 3)}
classes = "Labels a, a, b, predictions a, b, b: precision 1 and 1/2, recall 1/2 and 1, F1 2/3 and 2/3 of a and b: "
rate = lambda bad, n: "{:.4f} to {:.4f}".format(*wilson(bad, n))
adjusted = stats.false_discovery_control([0.01, 0.04, 0.03])

praised, down = [0.9] * 30 + [0.4] * 10, [0.9] * 10 + [0.4] * 20
wins = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in down] for a in praised])
area, pairs = wins.mean(), wins.size
delong = math.sqrt(wins.mean(axis=1).var(ddof=1) / len(praised) + wins.mean(axis=0).var(ddof=1) / len(down))
logit = math.log(area / (1 - area))
bounds = [1 / (1 + math.exp(-(logit + side * z * delong / (area * (1 - area))))) for side in (-1, 1)]
delays = [300] * 120 + [86_400] * 80
matured = [np.mean([min(1, max(0, (age + 3600 - d) / 3600)) for d in delays]) for age in (0, 3600)]

buckets = np.array([40, 30, 20]), np.array([150, 150, 150])
share = 90 / 540
expected = [(a + b) * share for a, b in zip(*buckets)]
tails = [min(1, 2 * (stats.binom.sf(a - 1, a + b, share) if a > e else stats.binom.cdf(a, a + b, share))) for a, b, e in zip(*buckets, expected)]
assert min(tails) == tails[2]

EXAMPLES = {
    f"Texts by bucket (40, 30, 20) of 60 texts beside (150, 150, 150) of 300: shares {shares(buckets[0] / 90)} and thirds, distance "
    f"{distance.jensenshannon(*buckets, base=2):.4f}; the bucket that moved most has 20 of 170 where {expected[2]:.1f} were to be expected: p = 3 x {min(tails):.3f} = "
    f"{3 * min(tails):.2f}.",
    f"Of 200 delays in the cohorts, 120 of 5 minutes and 80 of a day, an hour that has just ended: (120 · 55/60 + 80 · 0) / 200 = {matured[0]:.2f}; an hour later "
    f"(120 · 1 + 80 · 0) / 200 = {matured[1]:.1f}.",
    f"Praised: 30 answers at 0.9 and 10 at 0.4; rated down: 10 at 0.9 and 20 at 0.4. Of {pairs:,} pairs {(wins == 1).sum()} are won and {(wins == 0.5).sum()} tied: "
    f"(600 + 250) / 1,200 = {area:.4f}, interval {bounds[0]:.4f} to {bounds[1]:.4f}.",
    f"12 and 30 in two windows: 12 and 30, together {12 + 30}.",
    f"3 and 5 in two windows: 3 and 5, together {3 + 5}.",
    f"600 in an hour: {600 // 60} per minute.",
    f"97 accepted, 1 repeat, no tombstone, 2 refused: {97 + 1 + 0 + 2}.",
    f"Values 100, 250 and one unknown: sum {100 + 250}, n 2, n_null 1, value {100 + 250}.",
    f"10 of 200: bad_n 10, n 200, value {10 / 200}, interval {rate(10, 200)}; with 5 of 50 in a second window: {10 + 5} / {200 + 50} = {15 / 250}. "
    f"With a measured dispersion of 2, the interval is that of 5 of 100: {rate(5, 100)}.",
    f"Values 0.9, 0.7 and 0.8: sum {scores.sum():.1f}, n 3, value {mean:.1f}, sample standard deviation {sd:.1f}, interval 0.8 ± {t:.3f} · 0.1 / √3 = "
    f"{mean - t * sd / math.sqrt(3):.3f} to {min(1, mean + t * sd / math.sqrt(3)):.0f} (cut at the range); thin, since below 30 values.",
    f"Values 100, 300 and 200: sum {100 + 300 + 200}, n 3, value {600 // 3}; with one of 600 alone in a second window: {600 + 600} / {3 + 1} = {1200 // 4}.",
    f"sum 900 over n 3: {900 // 3}; with 100 over 1 in a second window: {900 + 100} / {3 + 1} = {1000 // 4}.",
    f"Values 0.4, 0.1 and 0.7: {min(0.4, 0.1, 0.7)}.",
    f"Newest publication at 10:40, window to 11:00: {(11 * 60 - 10 * 60 - 40) * 60}.",
    f"Published at 10:40; answers at 10:50, 10:55 and 11:00: {10 * 60}, {15 * 60} and {20 * 60:,} s: sum {45 * 60}, n 3, value {45 * 60 // 3}; one more of a version "
    "that no run published: n_null 1.",
    f"Least 12,000 tokens and 300 requests left, 60,000 tokens and 600 requests in the hour: 12,000 / (60,000 / 3,600 s) = {12_000 / (60_000 / 3_600):.0f} s and "
    f"300 / (600 / 3,600 s) = {300 / (600 / 3_600):,.0f} s; the row says {min(720, 1_800)}.",
    f"1,000 requests for $ 12.50, of which 25 got positive feedback: 12.50 / 25 = {12.5 / 25:.2f}.",
    f"Window (20, 30, 50), reference (400, 300, 300): shares with half an event added {shares(p)} and {shares(q)}; PSI = {psi:.4f}; expected 2 (1/100 + 1/1000) = "
    f"{2 * scale:.3f}; p = upper tail of chi-square(2) at {psi:.4f} / {scale:.3f} = {small(psi_p)}.",
    f"Window (20, 30, 50), reference (400, 300, 300): {distance.jensenshannon(window / n, reference / m, base=2):.4f}.",
    f"Window (20, 30, 50), reference (400, 300, 300): {chi.statistic:.2f}, p = {small(chi.pvalue)}.",
    f"See drift.*: {small(psi_p)}.",
    f"p of three series 0.01, 0.04, 0.03: adjusted {', '.join(f'{one:.2f}' for one in adjusted)}.",
    f"Window 10, 20, 30; reference 20, 30, 40 (were they enough): the functions differ by 1/{1 / gap:.0f} at {at}.",
    f"Every value 10 higher than in the reference, whose standard deviation is 40: {moved:.2f}.",
    f"12 of 200 answers without a value: {12 / 200}, interval {rate(12, 200)}.",
    f"Mean of the reference (0.8, 0.4, 0), mean of the window (0.6, 0, 0.8): 1 - {mu @ nu:.2f} / ({np.linalg.norm(mu):.3f} {np.linalg.norm(nu):.3f}) = "
    f"{distance.cosine(mu, nu):.3f}.",
    "10 of 1,000 failed in the hour before and 30 of 1,000 now: {:.2f}, interval {:.4f} to {:.4f} (Newcombe).".format(30 / 1000 - 10 / 1000, *newcombe(30, 1000, 10, 1000)),
    "Mean 0.71 with standard deviation 0.21 of 400 answers, 0.75 with 0.20 of 500 before: {:.2f}, interval {:.4f} to {:.4f} (Welch).".format(
        0.71 - 0.75, *welch(0.71, 0.21, 400, 0.75, 0.20, 500)),
    f"Model a fails 1 in 100 and model b 10 in 100 in both hours; b's share rises from a tenth to a half: the value rises by {rises[1] - rises[0]:.3f}, within is "
    f"{within:.0f} and mix is {rises[1] - rises[0] - within:.3f}.",
    f"Answer `the cat is on the mat`, reference `there is a cat on the mat`: matched 5, 2, 1, 0 of 6, 5, 4, 3, seven reference tokens: exp(1 - 7/6) "
    f"(5/6 · 2/5 · 1/4 · 1/6)^(1/4) = {bleu:.4f}.",
    f"Confidences 0.95 and 0.95, one right, one wrong, and 0.3, wrong: |0.95 - 1 + 0.95| + |0.3| = {calibration:.1f} over 3 records: {calibration / 3:.1f}.",
    classes + f"{averages[0, 'macro']:.2f}.",
    classes + f"{averages[2, 'macro']:.4f}.",
    classes + f"(2 · 1 + 1/2) / 3 = {averages[0, 'weighted']:.4f}.",
    f"Gateway logs last came with an entry of 12:00:00, now it is 12:01:30: {60 + 30}.",
    f"Two partitions end at 1,000 and 500 and were read to 990 and 500: {1000 - 990 + 500 - 500}.",
    f"Watermarks at 11:59 and 11:58, now it is 12:00: {max(60, 120)}.",
    f"3 of 1,200 records refused: {3 / 1200}.",
    f"A mail that should have gone at 11:58, now it is 12:00: {2 * 60}.",
}

unknown = []
for example in re.findall(r"^\* Worked example: (.*)$", open(sys.argv[1]).read(), re.M):
    known = re.sub(r"drift\.\w+\.psi", "drift.*", example)
    if re.search(r"\d", known) and known not in EXAMPLES and example not in unknown:
        unknown.append(example)
if unknown:
    unknown.append(sorted(EXAMPLES))
print(json.dumps(unknown, ensure_ascii=False))
