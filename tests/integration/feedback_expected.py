"""feedback_expected.py VIEWS TOPICS REGISTRY: recomputes agreement, delays and maturity from the raw events of TOPICS, and lists differences.

Shares no code with the service. Takes from the lake only each answer's groundedness and scorer, and the rows of `metrics` to compare with.
REGISTRY is a list of [metric, SQL], to check that the SQL of a metric says what its rows say.
"""

import collections
import glob
import json
import math
import sys

import duckdb
import numpy as np
from sklearn.metrics import roc_auc_score

db = duckdb.connect()
db.execute(sys.argv[1])
db.execute("SET TimeZone = 'UTC'")
topics, sql = sys.argv[2], dict(json.loads(sys.argv[3]))
HOUR, DAY = 3600, 86400
AGES = (0, 1, 2, 4, 8, 24, 48, 96, 168)
differences, compared = [], collections.Counter()


def differ(*what):
    if len(differences) < 20:
        differences.append([str(part) for part in what])


def events(topic):
    return [json.loads(line) for line in open(f"{topics}/{topic}/0.jsonl")]


logs, given = events("logs"), events("feedback")
scored = {request: (score, scorer) for request, score, scorer in db.execute("SELECT request_id, groundedness, scorer FROM interactions").fetchall()}
answers = {log["request_id"]: log for log in logs}
# Of feedback with one id the latest holds.
holds = {}
for place, event in enumerate(given):
    key = event.get("feedback_id") or place
    if key not in holds or (holds[key][0]["event_time"], holds[key][1]) <= (event["event_time"], place):
        holds[key] = (event, place)
feedback = []
for event, _ in holds.values():
    log = answers.get(event["target"]["request_id"])
    if log and log["event_time"] <= event["event_time"] and event["event_time"] - log["event_time"] <= 7 * DAY * 1000:
        feedback.append((log, event))
through = min(max(event["event_time"] for event in side) for side in (logs, given)) / 1000 - 30
through = int(through // HOUR * HOUR)


def group(log):
    return (log["tenant"], log["app"])


def published(metric, columns):
    """By window, its start and group, what the last revision says."""
    found = {}
    for row in db.execute(f"SELECT window_s, epoch(window_start)::BIGINT, tenant, app, scorer, {columns} FROM metrics WHERE metric = '{metric}'").fetchall():
        found[row[:5]] = row[5:]
    return found


def windows(event_time):
    return [(span, int(event_time // 1000 // span * span)) for span in (HOUR, DAY)]


def close(a, b, tolerance=1e-9):
    return a is None and b is None or a is not None and b is not None and abs(a - b) <= tolerance


# ---- delays
expected = collections.defaultdict(list)
for log, event in feedback:
    for window in windows(log["event_time"]):
        if sum(window) <= through:
            expected[(*window, *group(log), None)].append(-(-(event["event_time"] - log["event_time"]) // 1000))
found = published("feedback.delay_by_answer_s", "n, sum")
for key in expected.keys() | found.keys():
    compared["delays"] += 1
    n, total = found.get(key, (0, 0))
    if (n, total) != (len(expected.get(key, [])), sum(expected.get(key, []))):
        differ("delay", key, (len(expected.get(key, [])), sum(expected.get(key, []))), (n, total))

# ---- agreement
labels = collections.defaultdict(lambda: ([], []))
for log, event in feedback:
    score, scorer = scored[log["request_id"]]
    if score is not None and event.get("source", "human") == "human":
        for window in windows(log["event_time"]):
            if sum(window) <= through:
                labels[(*window, *group(log), scorer)][event["score"] < 1].append(score)


def delong(positive, negative):
    """The area and its 95 % interval on the logit scale, pair by pair."""
    won = (positive[:, None] > negative[None, :]) + (positive[:, None] == negative[None, :]) / 2
    area = won.mean()
    deviation = math.sqrt(won.mean(1).var(ddof=1) / len(positive) + won.mean(0).var(ddof=1) / len(negative))
    half = 1.959963984540054 * deviation / (area * (1 - area))
    at = math.log(area / (1 - area))
    return area, 1 / (1 + math.exp(half - at)), 1 / (1 + math.exp(-half - at))


random, shifts, outside = np.random.default_rng(1), [], []
found = published("feedback.groundedness_agreement", "n, bad_n, value, lo, hi")
for key in labels.keys() | found.keys():
    positive, negative = (np.array(side) for side in labels.get(key, ([], [])))
    n, bad_n, value, lo, hi = found.get(key, (0, 0, None, None, None))
    compared["agreement"] += 1
    if (n, bad_n) != (len(positive) + len(negative), len(negative)) or (value is None) != (min(len(positive), len(negative)) < 30):
        differ("labels", key, (len(positive), len(negative)), (n, bad_n, value))
        continue
    if value is None:
        continue
    compared["areas"] += 1
    truth = [1] * len(positive) + [0] * len(negative)
    # Scores are stored in billionths; a bin holds those up to its hundredth.
    binned = [np.ceil(np.round(side * 1e9) / 1e7) for side in (positive, negative)]
    area, low, high = delong(*binned)
    if not close(value, roc_auc_score(truth, np.concatenate(binned)), 1e-12) or not close(value, area, 1e-12):
        differ("area", key, area, value)
    if not close(lo, low) or not close(hi, high):
        differ("interval", key, (low, high), (lo, hi))
    exact = roc_auc_score(truth, np.concatenate([positive, negative]))
    tied = (binned[0][:, None] == binned[1][None, :]).mean()
    shifts.append(abs(exact - value))
    if shifts[-1] > tied / 2 + 1e-12:
        differ("bins", key, exact, value, tied)
    draws = [delong(*(random.choice(side, len(side)) for side in binned))[0] for _ in range(1000)]
    outside.append(max(abs(np.quantile(draws, 0.025) - lo), abs(np.quantile(draws, 0.975) - hi)))
    if outside[-1] > 0.03:
        differ("bootstrap", key, np.quantile(draws, [0.025, 0.975]), (lo, hi))

# ---- maturity


def middle(seconds):
    """The middle of the histogram's bin."""
    shift = max(0, seconds.bit_length() - 7)
    low = seconds >> shift << shift
    return low + ((1 << shift) - 1) / 2


cohorts = collections.defaultdict(list)
for log, event in feedback:
    delay = -(-(event["event_time"] - log["event_time"]) // 1000)
    cohorts[(*group(log), log["event_time"] // 1000 // DAY)].append(middle(delay))
expected = {}
for log in logs:
    for span, start in windows(log["event_time"]):
        ages = [age for age in AGES if start + span + age * HOUR <= through]
        key = (span, start, *group(log), None)
        if not ages or key in expected:
            continue
        delays = [delay for day in range(start // DAY - 21, start // DAY - 7) for delay in cohorts[(*group(log), day)]]
        arrived = sum(min(1, max(0, (ages[-1] * HOUR + span - delay) / span)) for delay in delays)
        value = 1 if ages[-1] == 168 else arrived / len(delays) if len(delays) >= 100 else None
        expected[key] = (len(delays), value)
found = published("feedback.maturity", "n, value")
for key in expected.keys() | found.keys():
    compared["maturity"] += 1
    (n, value), (their_n, theirs) = expected.get(key, (0, None)), found.get(key, (0, None))
    compared["mature"] += value is not None and value < 1
    if n != their_n or not close(value, theirs):
        differ("maturity", key, (n, value), (their_n, theirs))

# ---- the SQL of the agreement pools all days
pooled = collections.defaultdict(lambda: ([], []))
for (span, start, *of), (positive, negative) in labels.items():
    if span == DAY:
        pooled[tuple(of)][0].extend(positive)
        pooled[tuple(of)][1].extend(negative)
for tenant, app, scorer, value in db.execute(sql["feedback.groundedness_agreement"]).fetchall():
    sides = [np.ceil(np.round(np.array(side) * 1e9) / 1e7) for side in pooled[(tenant, app, scorer)]]
    compared["pooled"] += 1
    if not close(value, roc_auc_score([1] * len(sides[0]) + [0] * len(sides[1]), np.concatenate(sides)), 1e-12):
        differ("pooled", (tenant, app, scorer), value)
db.execute(sql["feedback.maturity"]).fetchall()

print(json.dumps({"differences": differences, **compared, "bins": max(shifts), "bootstrap": max(outside)}))
