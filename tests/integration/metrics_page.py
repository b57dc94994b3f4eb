"""metrics_page.py VIEWS PAGE: holds the page of metrics, and the rows of `metrics`, to a lake.

Shares no code with the service. From the rows of `interactions`, `feedback` and `pipeline_events` it computes anew, by the definitions of the
page alone, what every metric is (numbers, intervals with their over-dispersion by scipy, quantiles, histograms, drift, changes), and compares
all rows of `metrics`. Then it runs the SQL of each metric, as the page has it, in DuckDB, and compares what it says. VIEWS is what
`groundwire views` prints. Prints {"problems": […], "unseen": [metrics without rows], "rows": compared rows, "queries": compared queries}.
"""

import collections
import json
import math
import re
import sys

import duckdb
import numpy as np
import polars as pl
from scipy import stats

views, page = (open(file).read() for file in sys.argv[1:])
db = duckdb.connect()
db.execute(views)
db.execute("SET TimeZone = 'UTC'")
problems = collections.defaultdict(list)


def wrong(metric, what):
    if len(problems[metric]) < 3:
        problems[metric].append(what)


def table(name):
    return db.sql(f"SELECT * FROM {name}").pl()


# ---- what is measured of each row
MINUTE, QUARTER, HOUR, DAY = 60, 900, 3600, 86400
GROUP = ["tenant", "app", "response_model", "prompt_version", "variant"]
APP = ["tenant", "app"]
col, lit, when = pl.col, pl.lit, pl.when


def epoch(name):
    return col(name).dt.epoch("us")


def worst(findings):
    """Of the findings of one request: by category and side whether it is flagged, and the greatest severity."""
    found, greatest = {}, None
    words = [("hate", "hate"), ("self", "self_harm"), ("sex", "sexual"), ("violen", "violence"), ("jailbreak", "jailbreak"),
             ("prompt_injection", "jailbreak"), ("attack", "jailbreak"), ("harassment", "hate")]
    for finding in findings or []:
        category = next((of for word, of in words if word in finding["category"].lower()), "other")
        severity = finding["severity"]
        if severity is not None:
            named = {"safe": 0, "low": 2, "medium": 4, "high": 6}
            level = named[severity.lower()] if severity.lower() in named else float(severity)
            greatest = max(greatest or 0, level)
        if finding["filtered"] is None and finding["detected"] is None:
            flagged = severity is not None and level >= 4
        else:
            flagged = bool(finding["filtered"]) or bool(finding["detected"])
        for key in (category, f"{category}.{finding['stage']}", "any"):
            found[key] = found.get(key, False) or flagged
    return found | ({} if greatest is None else {"severity": "low" if 2 <= greatest < 4 else "medium" if 4 <= greatest < 6 else "high" if greatest >= 6 else "safe"})


raw = table("interactions")
checks = [worst(findings) for findings in raw["safety"].to_list()]
CATEGORIES = ["hate", "self_harm", "sexual", "violence", "jailbreak", "other"]
for key in ["any", *(f"{category}{side}" for category in CATEGORIES for side in ("", ".prompt", ".response"))]:
    raw = raw.with_columns(pl.Series(f"safety.{key}", [found.get(key) for found in checks], dtype=pl.Boolean))
raw = raw.with_columns(pl.Series("safety.severity", [found.get("severity") for found in checks], dtype=pl.String))

probabilities = [json.loads(text) if text else None for text in raw["probability"].to_list()]
says, entropy, brier, sure = [], [], [], []
for given, said, label in zip(probabilities, raw["prediction"].to_list(), raw["label"].to_list()):
    says.append(said if said is not None or not given else max(given, key=given.get))
    if label is None or not given:
        entropy.append(None), brier.append(None), sure.append(None)
        continue
    names = set(given) | {label}
    of_label = given.get(label, 1 - next(iter(given.values())) if len(given) == 1 else 0.0)
    entropy.append(-math.log(min(max(of_label, 2**-52), 1 - 2**-52)))
    squares = sum((given.get(name, 0.0) - (name == label)) ** 2 for name in names)
    brier.append(squares / 2 if len(names) <= 2 else squares)
    sure.append(given.get(says[-1], 0.0))
requests = raw.with_columns(
    at=epoch("event_time"), response_model=pl.coalesce("response_model", "request_model"),
    says=pl.Series(says, dtype=pl.String), entropy=pl.Series(entropy, dtype=pl.Float64), brier=pl.Series(brier, dtype=pl.Float64), sure=pl.Series(sure, dtype=pl.Float64),
    headroom=pl.min_horizontal(*((col(f"quota_remaining_{kind}") / col(f"quota_limit_{kind}")).clip(0, 1) for kind in ("tokens", "requests"))),
    per_token=when((col("usage_output_tokens") >= 2) & (col("latency_ms") >= col("time_to_first_token_ms"))).then(
        (col("latency_ms") - col("time_to_first_token_ms")) / (col("usage_output_tokens") - 1)),
)
# From where a score is good, and the name's scale: what lies outside says nothing.
SCALES_OF = {"thumbs": (1.0, 0.0, 1.0), "rating": (4.0, 1.0, 5.0), "resolved": (1.0, 0.0, 1.0)}
feedback = table("feedback").with_columns(at=epoch("event_time"), feedback_name=col("name")).with_columns(
    positive=pl.coalesce(
        when((col("name") == name) & col("score").is_between(low, high)).then(col("score") >= good) for name, (good, low, high) in SCALES_OF.items()
    ),
)
answered = (
    feedback.filter(col("match") == "matched").rename({"score": "rating", "at": "given"}).drop(*GROUP, strict=False)
    .join(requests.select("request_id", "event_time", "at", "scorer", "groundedness", *GROUP), left_on=["answer_request_id", "answer_event_time"], right_on=["request_id", "event_time"], how="inner")
)
answered = answered.with_columns(delay=((col("given") - col("at")) / 1e6).ceil(), hundredths=(col("groundedness") * 100).round(7).ceil() / 100)
labelled = answered.filter(col("groundedness").is_not_null() & col("positive").is_not_null() & (col("source").is_null() | (col("source") == "human")))
rated = answered.group_by("answer_request_id", "answer_event_time").agg(praised=col("positive").sum()).with_columns(rated=lit(True))
requests = requests.join(rated, left_on=["request_id", "event_time"], right_on=["answer_request_id", "answer_event_time"], how="left").with_columns(
    col("rated").fill_null(False), col("praised").fill_null(0))
runs = table("pipeline_events").filter(col("state").is_in(["COMPLETE", "FAIL", "ABORT"])).with_columns(
    at=epoch("event_time"), duration=(pl.coalesce(epoch("ended_at"), epoch("event_time")) - epoch("started_at")) / 1e6)


def first_published(version, tenant, app):
    """When a version of an index was first published: by its own application, else by its own tenant, else by nobody's."""
    name, _, number = version.partition("@")
    for of in ((tenant, app), (tenant, None), (None, None)):
        times = [run["at"] for run in built if (run["tenant"], run["app"]) == of and {"name": name, "version": number} in run["made"]]
        if times:
            return min(times)
    return None


built = runs.filter((col("state") == "COMPLETE") & (col("rows_failed").fill_null(0) == 0) & (col("kind") == "index")).to_dicts()
for run in built:
    run["made"] = [{"name": output["name"], "version": str(output.get("version"))} for output in json.loads(run["outputs"] or "[]")]
served = requests.filter((col("status") == "ok") & col("index").is_not_null())
places = {place: first_published(*place) for place in served.select("index", *APP).unique().rows()}
served = served.with_columns(published=pl.Series([places[place] for place in served.select("index", *APP).rows()], dtype=pl.Int64)).with_columns(
    age=(col("at") - col("published")) / 1e6, index=col("index").str.split("@").list.first())

ALWAYS, SEEN = col("at").is_not_null(), col("state").is_not_null()
LABELLED = col("label").is_not_null()


class Spec:
    """How a metric is made from rows."""

    def __init__(self, kind, frame=None, dims=GROUP, looked=ALWAYS, value=None, top=None, occurring=False, scored=False, exact=1e-9, null=None, parts=None, hist=None, interval=None):
        vars(self).update(locals())
        self.frame = requests if frame is None else frame
        self.keys = [*dims, "scorer"] if scored else list(dims)


def rate(looked, top, **more):
    return Spec("rate", looked=looked, top=top, **more)


def values(value, looked=None, kind="mean", **more):
    return Spec(kind, value=value, looked=value.is_not_null() if looked is None else looked, **more)


def score(name):
    return values(col(name), SEEN, scored=True, hist="linear", interval=True)


def compared(name):
    return values(col(name), hist="linear", interval=True)


def ended(status):
    return rate(ALWAYS, col("status") == status, occurring=True)


def feedback_of(top, **more):
    return rate(top.is_not_null(), top, null=top.is_null(), **more)


TOKENS = when(col("usage_input_tokens").is_not_null() | col("usage_output_tokens").is_not_null()).then(pl.sum_horizontal("usage_input_tokens", "usage_output_tokens"))
REPORTED = col("bleu_counts").is_not_null()
SPECS = {
    "requests": Spec("count"),
    "requests.per_minute": Spec("per_minute", value=ALWAYS.cast(int)),
    "error_rate": rate(~col("status").is_in(["client_4xx", "cancelled", "content_filtered"]), col("status").is_in(["provider_5xx", "timeout", "throttled_429"])),
    **{f"error_rate.{status}": ended(status) for status in ("throttled_429", "provider_5xx", "timeout", "client_4xx", "content_filtered", "cancelled")},
    "latency_ms": values(col("latency_ms"), ALWAYS, hist="log"),
    "time_to_first_token_ms": values(col("time_to_first_token_ms"), hist="log"),
    "time_per_output_token_ms": values(col("per_token"), hist="log", exact=6e-4),
    "tokens.input": values(col("usage_input_tokens"), ALWAYS, "total", hist="log"),
    "tokens.output": values(col("usage_output_tokens"), ALWAYS, "total", hist="log"),
    "tokens.cached": values(col("usage_cached_input_tokens"), kind="total"),
    "tokens.cache_write": values(col("usage_cache_write_tokens"), kind="total"),
    "tokens.reasoning": values(col("usage_reasoning_tokens"), kind="total"),
    "tokens.per_request": Spec("ratio", value=TOKENS, top=ALWAYS.cast(int)),
    "tokens.per_minute": Spec("per_minute", value=TOKENS),
    "cost_usd": values(col("cost_usd"), col("cost_status").is_not_null(), "total"),
    **{f"cost.{status}_share": rate(ALWAYS, col("cost_status") == status, occurring=True) for status in ("estimated", "unpriced", "usage_missing")},
    "quota.headroom": values(col("headroom"), kind="least"),
    "quota.exhaustion_eta_s": Spec("exhaustion"),
    "throttle_rate": rate(ALWAYS, col("status") == "throttled_429"),
    "groundedness": score("groundedness"),
    "groundedness.sentence_support": score("sentence_support"),
    **{name: score(name) for name in ("answer_relevance", "context_relevance", "context_precision_at_k", "utilization", "completeness")},
    **{
        f"groundedness.{name}": values(when(col("answer_length_tokens").is_between(low, high)).then(col("groundedness")), scored=True, interval=True)
        for name, low, high in (("upto_32", 0, 32), ("upto_128", 33, 128), ("upto_512", 129, 512), ("above_512", 513, 10**9))
    },
    "refusal_rate": rate(col("refusal").is_not_null(), col("refusal"), scored=True),
    **{
        f"answer_state.{state}.share": rate(SEEN, col("state") == state, scored=True, occurring=True)
        for state in ("scored", "no_claims", "abstained", "no_context", "too_long", "language_mismatch")
    },
    "prompt_length_tokens": values(col("prompt_length_tokens"), hist="log"),
    "answer_length_tokens": values(col("answer_length_tokens"), hist="log"),
    "content_safety.rate": rate(col("safety.any").is_not_null(), col("safety.any")),
    **{f"content_safety.{key}.rate": rate(col(f"safety.{key}").is_not_null(), col(f"safety.{key}")) for category in CATEGORIES for key in (category, f"{category}.prompt", f"{category}.response")},
    **{f"content_safety.severity.{name}.rate": rate(col("safety.any").is_not_null(), col("safety.severity") == name, occurring=True) for name in ("low", "medium", "high")},
    "feedback.count": Spec("count", feedback, APP),
    "feedback.positive_rate": feedback_of(col("positive"), frame=feedback, dims=[*APP, "feedback_name"]),
    "feedback.mean_rating": values(col("score"), ALWAYS, frame=feedback, dims=[*APP, "feedback_name"]),
    "feedback.response_rate": Spec("ratio", dims=APP),
    "feedback.positive_rate_by_answer": feedback_of(col("positive"), frame=answered, dims=[*GROUP, "feedback_name"]),
    "feedback.mean_rating_by_answer": values(col("rating"), ALWAYS, frame=answered, dims=[*GROUP, "feedback_name"]),
    "feedback.response_rate_by_answer": rate(ALWAYS, col("rated"), occurring=True),
    "feedback.delay_by_answer_s": values(col("delay"), frame=answered, hist="log"),
    "feedback.groundedness_of_praised": values(col("hundredths"), frame=labelled.filter(col("positive")), scored=True, hist="linear", interval=True),
    "feedback.groundedness_of_rated_down": values(col("hundredths"), frame=labelled.filter(~col("positive")), scored=True, hist="linear", interval=True),
    "feedback.groundedness_agreement": Spec("composed", labelled, scored=True),
    "cost.per_positive_feedback": Spec("ratio", looked=col("cost_status").is_not_null(), value=col("cost_usd"), top=col("praised")),
    "pipeline.runs": Spec("count", runs, [*APP, "job"]),
    "pipeline.failure_rate": rate(ALWAYS, col("state") != "COMPLETE", frame=runs, dims=[*APP, "job"]),
    "pipeline.duration_s": values(col("duration"), frame=runs, dims=[*APP, "job"], hist="log"),
    "pipeline.rows_out": values(col("rows_out"), kind="total", frame=runs, dims=[*APP, "job"]),
    "pipeline.rows_failed_ratio": Spec("ratio", runs, [*APP, "job"], col("rows_failed").is_not_null(), value=col("rows_failed"),
                                       top=col("rows_failed").fill_null(0) + col("rows_out").fill_null(0)),
    "index.age_at_answer_s": values(col("age"), ALWAYS, frame=served, dims=[*APP, "index"]),
    "reference.sentence_bleu": compared("sentence_bleu"),
    **{f"reference.{name}": compared(name) for name in ("chrf", "rouge_1", "rouge_2", "rouge_l", "rouge_lsum", "meteor_exact_stem", "token_f1")},
    "reference.exact_match": rate(col("exact_match").is_not_null(), col("exact_match")),
    "reference.bleu": Spec("composed", looked=REPORTED),
    "classification.accuracy": rate(LABELLED & col("says").is_not_null(), col("label") == col("says"), null=LABELLED & col("says").is_null()),
    "classification.cross_entropy": values(col("entropy"), LABELLED, exact=1e-6),
    "classification.brier": values(col("brier"), LABELLED, exact=1e-6),
    "classification.calibration_error": Spec("composed", looked=LABELLED & col("sure").is_not_null()),
    **{
        f"classification.{name}_{average}": Spec("composed", looked=LABELLED & col("says").is_not_null())
        for name in ("precision", "recall", "f1") for average in ("macro", "weighted")
        if (name, average) != ("recall", "weighted")
    },
}


# ---- formulas of several columns
def bleu(rows):
    counts = np.sum(rows["bleu_counts"].to_list(), axis=0)
    matched, ngrams, reference = counts[:4].astype(float), counts[4:8], counts[8]
    if ngrams[3] == 0 or matched[0] == 0:
        return 0.0
    misses = np.cumsum(matched == 0)
    logs = [math.log(m / n) if m > 0 else math.log(1 / (2.0**k * n)) for m, n, k in zip(matched, ngrams, misses)]
    return min(1.0, math.exp(min(0.0, 1 - reference / ngrams[0])) * math.exp(sum(logs) / 4))


def calibration_error(rows):
    sums = collections.Counter()
    for confidence, right in zip(rows["sure"].to_list(), (rows["label"] == rows["says"]).to_list()):
        sums[max(math.ceil(confidence * 10), 1)] += confidence - right
    return sum(map(abs, sums.values())) / len(rows)


def classes(name, average):
    def compute(rows):
        label, says = rows["label"].to_list(), rows["says"].to_list()
        total = weights = 0.0
        for one in set(label) | set(says):
            labelled, predicted, correct = label.count(one), says.count(one), sum(a == b == one for a, b in zip(label, says))
            over, under = {"precision": (correct, predicted), "recall": (correct, labelled), "f1": (2 * correct, labelled + predicted)}[name]
            weight = labelled if average == "weighted" else 1
            total, weights = total + weight * (over / under if under else 0.0), weights + weight
        return total / weights
    return compute


def auroc(rows):
    """Area under the ROC curve of human labels, DeLong's interval on the logit scale, and its labels; none below 30 of a kind."""
    up, down = (np.array(rows.filter(col("positive") == side)["hundredths"].to_list()) for side in (True, False))
    if min(len(up), len(down)) < 30:
        return None
    wins = (up[:, None] > down[None, :]) + 0.5 * (up[:, None] == down[None, :])
    return float(wins.mean())


def composed(name):
    if name == "feedback.groundedness_agreement":
        return auroc
    if name == "reference.bleu":
        return bleu
    if name == "classification.calibration_error":
        return calibration_error
    return classes(*name.removeprefix("classification.").split("_"))


# ---- rows of one length of window
def grouped(spec, seconds):
    """The spec's rows by window and group."""
    return spec.frame.with_columns(start=col("at") // (seconds * 1_000_000) * seconds).group_by("start", *spec.keys)


def keyed(frame, keys):
    return {(row["start"], tuple(row[key] for key in keys)): row for row in frame.to_dicts()}


def expected(name, spec, seconds):
    """By (start, group): what the row must say."""
    if spec.kind == "count":
        return keyed(grouped(spec, seconds).agg(n=pl.len(), sum=pl.len().cast(float), value=pl.len().cast(float)), spec.keys)
    if spec.kind in ("mean", "total", "least"):
        value = spec.value.filter(spec.looked)
        rows = keyed(grouped(spec, seconds).agg(
            looked=spec.looked.sum(), n=value.drop_nulls().len(), n_null=value.null_count(), sum=value.sum().cast(float), sum_sq=(value.cast(float) ** 2).sum(),
            min=value.min(), max=value.max(), values=value.drop_nulls()).filter(col("looked") > 0), spec.keys)
        for row in rows.values():
            row["value"] = None if row["n"] == 0 else {"mean": row["sum"] / row["n"], "total": row["sum"], "least": row["min"]}[spec.kind]
        return rows
    if spec.kind == "rate":
        top = (spec.top & spec.looked).sum()
        null = lit(0) if spec.null is None else spec.null.sum()
        found = grouped(spec, seconds).agg(n=spec.looked.sum(), bad_n=top, n_null=null)
        found = found.filter(col("bad_n") > 0) if spec.occurring else found
        rows = keyed(found, spec.keys)
        # A row stands wherever there was something to measure; error_rate also where every request is left out.
        rows = {key: row for key, row in rows.items() if row["n"] + row["n_null"] > 0 or name == "error_rate"}
        for row in rows.values():
            row["value"], row["sum"] = (row["bad_n"] / row["n"] if row["n"] else None), float(row["bad_n"])
        return rows
    if spec.kind == "per_minute":
        rows = keyed(grouped(spec, seconds).agg(sum=spec.value.sum().cast(float), known=spec.value.drop_nulls().len()).filter(col("known") > 0), spec.keys)
        for row in rows.values():
            row["value"] = row["sum"] / (seconds / 60)
        return rows
    if spec.kind == "ratio":
        if name == "feedback.response_rate":
            requested = keyed(grouped(Spec("count", dims=APP), seconds).agg(n=pl.len()), APP)
            rows = keyed(grouped(Spec("count", feedback, APP), seconds).agg(sum=pl.len().cast(float)), APP)
            for key, row in rows.items():
                row["n"] = requested.get(key, {"n": 0})["n"]
        else:
            rows = keyed(grouped(spec, seconds).agg(
                looked=spec.looked.sum(), known=spec.value.drop_nulls().len(), sum=spec.value.sum().cast(float), n=spec.top.sum()).filter(col("looked") > 0), spec.keys)
        for row in rows.values():
            row["value"] = row["sum"] / row["n"] if row["n"] and row.get("known", 1) else None
        return rows
    if spec.kind == "exhaustion":
        found = keyed(grouped(spec, seconds).agg(
            tokens=col("quota_remaining_tokens").min(), requests=col("quota_remaining_requests").min(), n=pl.len(),
            used=(col("usage_input_tokens").sum() + col("usage_output_tokens").sum()).cast(float)), spec.keys)
        rows = {}
        for key, row in found.items():
            left = [(row["tokens"], row["used"]), (row["requests"], float(row["n"]))]
            if any(least is not None for least, _ in left):
                # Nothing left of a limit of which nothing was used says nothing.
                rows[key] = {"value": min((least / (used / seconds) for least, used in left if least is not None and used > 0), default=None)}
        return rows
    assert spec.kind == "composed"
    kept = spec.frame.filter(spec.looked).with_columns(start=col("at") // (seconds * 1_000_000) * seconds)
    compute = composed(name)
    return {(key[0], tuple(key[1:])): {"n": len(rows), "value": compute(rows)} for key, rows in kept.group_by("start", *spec.keys)}


def dispersions(spec, seconds):
    """By (start, group): Σ over²/under, Σ over, Σ under and the number of stretches."""
    stretch = {QUARTER: 180, HOUR: 300, DAY: 3600}[seconds]
    over = (spec.top & spec.looked).sum().cast(float) if spec.kind == "rate" else spec.value.filter(spec.looked).sum().cast(float)
    under = spec.looked.sum() if spec.kind == "rate" else spec.value.filter(spec.looked).drop_nulls().len()
    parts = spec.frame.with_columns(start=col("at") // (seconds * 1_000_000) * seconds, stretch=col("at") // (stretch * 1_000_000)).group_by("start", "stretch", *spec.keys)
    parts = parts.agg(over=over, under=under.cast(float)).filter(col("under") > 0)
    return keyed(parts.group_by("start", *spec.keys).agg(squares=(col("over") ** 2 / col("under")).sum(), over=col("over").sum(), under=col("under").sum(), k=pl.len()), spec.keys)


def factor(part, variance):
    if part is None or part["k"] < 3 or part["under"] < 30 or variance <= 0:
        return None
    phi = (part["squares"] - part["over"] ** 2 / part["under"]) / variance / (part["k"] - 1)
    return 1 + max(0.0, phi - 1) * (stats.t.ppf(0.975, part["k"] - 1) / stats.norm.ppf(0.975)) ** 2


def wilson(bad, n):
    z = stats.norm.ppf(0.975)
    middle, half = (bad + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(bad * (n - bad) / n + z * z / 4)
    return middle - half, middle + half


def student(mean, sd, n):
    half = stats.t.ppf(0.975, n - 1) * sd / math.sqrt(n)
    return max(0.0, mean - half), min(1.0, mean + half)


def with_interval(spec, row, part):
    """Puts interval and dispersion beside a row's numbers."""
    row |= {"lo": None, "hi": None, "dispersion": None}
    if spec.kind == "rate" and row["n"]:
        row["dispersion"] = factor(part, row["value"] * (1 - row["value"])) if part else None
        by = row["dispersion"] or 1.0
        row["lo"], row["hi"] = wilson(row["bad_n"] / by, row["n"] / by)
    elif spec.interval and row["n"] > 1:
        sd = float(np.std(np.asarray(row["values"], float), ddof=1))
        sd = 0.0 if len(set(row["values"])) == 1 else sd
        row["dispersion"] = factor(part, sd * sd) if part else None
        row["lo"], row["hi"] = student(row["value"], sd * math.sqrt(row["dispersion"] or 1.0), row["n"])


# ---- histograms: bins as the page says
def log_bins(units):
    """Greatest integer of the bin of each: exact below 128, then 64 bins per power of two."""
    units = np.asarray(units, dtype=np.int64)
    width = np.where(units < 128, 1, 2 ** (np.floor(np.log2(np.maximum(units, 128))).astype(np.int64) - 6))
    return np.where(units <= 0, 0, units // width * width + width - 1)


def edges(kind, value, scale):
    if kind == "linear":
        return [0.0 if one <= 0 else math.ceil(round(one * 1e9) / 1e7) / 100 for one in value]
    return list(log_bins([round(one * scale) for one in value]) / scale)


SCALES = {"latency_ms": 1000, "time_to_first_token_ms": 1000, "time_per_output_token_ms": 1000, "pipeline.duration_s": 1e6}


def same(found, wanted, exact=1e-9):
    if found is None or wanted is None:
        return found is None and wanted is None
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=exact)


# ---- the rows of the lake against these
published = collections.defaultdict(dict)
DIMENSIONS = [*GROUP, "environment", "job", "index", "feedback_name", "scorer"]
metrics = table("metrics")
for row in metrics.with_columns(start=epoch("window_start") // 1_000_000).to_dicts():
    published[row["metric"], row["window_s"]][row["start"], tuple(row[name] for name in DIMENSIONS)] = row


def full(key, keys):
    named = dict(zip(keys, key))
    return tuple(named.get(name) for name in DIMENSIONS)


compared_rows = 0
known = collections.defaultdict(dict)
for (name, seconds), rows in sorted(published.items()):
    spec = SPECS.get(name)
    if spec is None:
        continue
    last = max(start for start, _ in rows)
    wanted = {(start, full(key, spec.keys)): row for (start, key), row in expected(name, spec, seconds).items() if start <= last}
    parts = {(start, full(key, spec.keys)): row for (start, key), row in dispersions(spec, seconds).items()} if seconds > MINUTE and (spec.kind == "rate" or spec.interval) and not (name.endswith("_by_answer") and seconds < DAY) else {}
    known[name, seconds] = wanted
    for key in wanted.keys() - rows.keys():
        wrong(name, f"{seconds} s {key}: no row, expected {wanted[key].get('value')}")
    for key in rows.keys() - wanted.keys():
        # What was there and was taken back has a row of nothing.
        if rows[key]["n"] or rows[key]["n_null"]:
            wrong(name, f"{seconds} s {key}: a row that nothing explains, value {rows[key]['value']}")
    for key in wanted.keys() & rows.keys():
        row, want = rows[key], wanted[key]
        compared_rows += 1
        if spec.kind == "rate" or spec.interval:
            with_interval(spec, want, parts.get(key))
        exact = spec.exact * max(1, want.get("n", 1))
        for column in ("n", "n_null", "bad_n", "sum", "value", "min", "max", "lo", "hi", "dispersion"):
            if column not in want or column == "n_null" and spec.kind == "rate" and spec.null is None:
                continue
            if column in ("min", "max") and name.startswith(("feedback.", "cost_usd")):
                if row[column] is not None:
                    wrong(name, f"{seconds} s {key}: {column} of what may be corrected")
                continue
            slack = exact if column in ("sum", "value", "min", "max") else 1e-6 if column == "dispersion" else 1e-7
            if not same(row[column], want[column], slack):
                wrong(name, f"{seconds} s {key}: {column} {row[column]}, expected {want[column]}")
        enough = spec.kind not in ("mean", "rate", "composed") or want["n"] >= 30
        few = name == "feedback.groundedness_agreement" and want["value"] is None
        status = "thin" if few else "not_applicable" if want["value"] is None else "ok" if enough else "thin"
        if row["value_status"] != status:
            wrong(name, f"{seconds} s {key}: {row['value_status']}, expected {status}")
        if "values" in want and spec.hist:
            value, scale = sorted(map(float, want["values"])), SCALES.get(name, 1)
            counts = collections.Counter(edges(spec.hist, value, scale))
            found = dict(zip(row["hist_edges"] or [], row["hist_counts"] or []))
            if len(found) != len(counts) or any(not same(a, b) or found[a] != counts[b] for a, b in zip(sorted(found), sorted(counts))):
                wrong(name, f"{seconds} s {key}: histogram {sorted(found.items())[:5]}, expected {sorted(counts.items())[:5]}")
            for q, least in ((50, 1), (90, 1), (95, 200), (99, 1000)):
                at, read = value[math.ceil(q / 100 * len(value)) - 1] if value else None, row[f"p{q}"]
                if len(value) < least:
                    if read is not None:
                        wrong(name, f"{seconds} s {key}: p{q} of {len(value)} values")
                elif read is None or abs(read - at) > (0.005 + 1e-9 if spec.hist == "linear" else max(at / 128, spec.exact)):
                    wrong(name, f"{seconds} s {key}: p{q} {read}, of the values {at}")
        elif row["p50"] is not None:
            wrong(name, f"{seconds} s {key}: quantiles of what has no histogram")

# ---- ages
for (name, seconds), rows in published.items():
    if name == "index.freshness_s":
        whole = runs.filter((col("state") == "COMPLETE") & (col("rows_failed").fill_null(0) == 0) & (col("kind") == "index"))
        for (start, key), row in rows.items():
            group = dict(zip(DIMENSIONS, key))
            times = [run["at"] for run in whole.to_dicts() if (run["tenant"], run["app"]) == (group["tenant"], group["app"])
                     and group["index"] in [output["name"] for output in json.loads(run["outputs"])] and run["at"] <= (start + seconds) * 1_000_000]
            compared_rows += 1
            if not times or not same(row["value"], start + seconds - max(times) / 1e6, 1e-6):
                wrong(name, f"{seconds} s {start} {key}: {row['value']}, published at {max(times, default=None)}")
            known.setdefault((name, seconds), {})[start, key] = {"value": row["value"]}

# ---- maturity: a lake of three days has no cohort that is old enough
for (name, seconds), rows in published.items():
    if name == "feedback.maturity":
        for (start, key), row in rows.items():
            compared_rows += 1
            known[name, seconds][start, key] = row
            if row["value"] is not None or row["value_status"] != "thin" or row["n"]:
                wrong(name, f"{seconds} s {start}: {row['value']} {row['value_status']} of {row['n']}, without any old cohort")

# ---- the ledger: what became of the records, by hour
fates = collections.Counter()
for table_name, input in (("interactions", "gateway"), ("feedback_revisions", "feedback"), ("pipeline_events", "pipeline")):
    rows = table(table_name)
    rows = rows.filter(col("revision") == 0) if "revision" in rows.columns else rows
    for at, state in zip(rows.select(epoch("event_time"))["event_time"].to_list(), rows["state"].to_list() if input == "gateway" else [None] * len(rows)):
        start = at // 3_600_000_000 * HOUR
        fates[f"ledger.{input}.accepted", start] += 1
        if input == "gateway":
            fates[f"ledger.gateway.accepted.{state or 'unscored'}", start] += 1
refused = table("rejects")
INPUTS = {"gateway-logs": "gateway", "user-feedback": "feedback", "pipeline-events": "pipeline"}
for topic, reason in refused.select("source_topic", "reason").rows():
    fates[f"ledger.{INPUTS[topic]}.rejected.{reason}", None] += 1
    fates[f"ledger.{INPUTS[topic]}.rejected", None] += 1
ledger = {name: {start: row for (start, _), row in rows.items()} for (name, _), rows in published.items() if name.startswith("ledger.")}
for name, rows in ledger.items():
    input = name.split(".")[1]
    value = lambda other, start: ledger.get(f"ledger.{input}.{other}", {}).get(start, {"value": 0.0})["value"]
    compared_rows += len(rows)
    for start, row in rows.items():
        known[name, HOUR][start, tuple(row[dimension] for dimension in DIMENSIONS)] = row
        # Which hour a refused record is counted in depends on the order of reading, so that only their sums are looked at.
        wanted = {
            "consumed": lambda: sum(value(fate, start) for fate in ("accepted", "duplicate", "filtered", "rejected")),
            "rejected_ratio": lambda: value("rejected", start) / value("consumed", start),
        }.get(name.split(".")[2], lambda: fates[name, start] if ".accepted" in name else row["value"])()
        if not same(row["value"], wanted):
            wrong(name, f"{start}: {row['value']}, expected {wanted}")
    if ".rejected" in name and not name.endswith("ratio") and not same(sum(row["value"] for row in rows.values()), float(fates[name, None])):
        wrong(name, f"in all {sum(row['value'] for row in rows.values())}, rejects has {fates[name, None]}")
    if name.endswith(".late") and not 0 <= sum(row["value"] for row in rows.values()) <= sum(row["value"] for row in ledger[f"ledger.{input}.accepted"].values()):
        wrong(name, "more is late than was taken")

# ---- drift: by tenant and application (and scorer), beside the 24 hours or the 7 days before
DESCRIPTORS = {
    "prompt_length_tokens": ("prompt_length_tokens", "log", False), "answer_length_tokens": ("answer_length_tokens", "log", False),
    "groundedness": ("groundedness", "linear", True), "answer_relevance": ("answer_relevance", "linear", True),
    "context_relevance": ("context_relevance", "linear", True), "sentence_support": ("sentence_support", "linear", True),
    "language": ("language", None, True), "prediction": ("prediction", None, False),
}


def stretch_of(frame, column, group, scored, begin, end, looked=None):
    tenant, app, scorer = group
    mine = frame.filter(col("at").is_between(begin * 1_000_000, end * 1_000_000, closed="left") & col("tenant").eq_missing(lit(tenant)) & col("app").eq_missing(lit(app)))
    mine = mine.filter(SEEN & (col("scorer") == scorer)) if scored else mine
    return mine[column].to_list()


def in_bins(kind, here, there):
    """Counts of the window and of the reference in the bins that the reference fixes."""
    n = len(here)
    if kind is None:
        here, there = ([one for one in side if one != "__other__"] for side in (here, there))
        counts = collections.Counter(there)
        order = sorted(counts, key=lambda one: -counts[one])[:20]
        bins = [one for one in order if counts[one] * len(here) >= 10 * len(there)]
        place = lambda one: bins.index(one) if one in bins else len(bins)
        size = len(bins) + 1
    else:
        here, there = edges(kind, here, 1), edges(kind, there, 1)
        ordered = sorted(there)
        cuts = sorted({ordered[math.ceil(k * len(ordered) / 10) - 1] for k in range(1, 10)})
        cuts = [cut for cut in cuts if cut < ordered[-1] - 1e-9]
        # All deciles are the greatest value: what is below it, it, and what is above.
        at_greatest = lambda one: 1 if abs(one - ordered[-1]) < 1e-9 else 2 * (one > ordered[-1])
        place = (lambda one: int(np.searchsorted(cuts, one - 1e-9, side="left"))) if cuts else at_greatest
        size = max(len(cuts) + 1, 3)
    window, reference = np.zeros(size), np.zeros(size)
    for one in here:
        window[place(one)] += 1
    for one in there:
        reference[place(one)] += 1
    used = window + reference > 0
    return window[used], reference[used]


def middles(kind, value):
    top = np.array(edges(kind, value, 1))
    if kind == "linear":
        return np.where(top == 0, 0.0, top - 0.005 + 5e-10)
    width = np.where(top < 128, 1, 2.0 ** (np.floor(np.log2(np.maximum(top, 1))) - 6))
    return top - (width - 1) / 2


drift_of = {}


def drift(descriptor, seconds, start, group):
    """Everything that drift says of one window: None where it is not decided."""
    key = (descriptor, seconds, start, group)
    if key not in drift_of:
        column, kind, scored = DESCRIPTORS[descriptor]
        here = stretch_of(requests, column, group, scored, start, start + seconds)
        there = stretch_of(requests, column, group, scored, start - (DAY if seconds == HOUR else 7 * DAY), start)
        found = {"looked": len(here), "nulls": here.count(None), "reference_looked": len(there), "reference_nulls": there.count(None)}
        here, there = ([one for one in side if one is not None] for side in (here, there))
        if len(there) and len(here):
            w, r = in_bins(kind, here, there)
            n, m, bins = w.sum(), r.sum(), len(w)
            found |= {"n": n, "m": m, "bins": bins}
            if min(n, m) >= 20 * bins:
                p, q = (w + 0.5) / (n + bins / 2), (r + 0.5) / (m + bins / 2)
                psi = float(((p - q) * np.log(p / q)).sum())
                found |= {"psi": psi, "psi_p": float(stats.chi2.sf(psi / (1 / n + 1 / m), bins - 1)) if bins > 1 else 1.0, "expected": (bins - 1) * (1 / n + 1 / m)}
                a, b = w / n, r / m
                divergence = sum(float(np.sum(x[x > 0] * np.log2(x[x > 0] / ((a + b) / 2)[x > 0]))) for x in (a, b)) / 2
                found["js"] = math.sqrt(max(0.0, divergence))
                if kind is None:
                    found["chi_square"] = float(stats.chi2_contingency([w, r], correction=False).statistic) if bins > 1 else 0.0
                else:
                    x, y = middles(kind, here), middles(kind, there)
                    ks = stats.ks_2samp(x, y, method="asymp")
                    found |= {"ks": float(ks.statistic), "ks_p": float(ks.pvalue), "wasserstein": float(stats.wasserstein_distance(x, y)) / max(float(np.std(np.asarray(there, float))), 0.001)}
        drift_of[key] = found
    return drift_of[key]


for (name, seconds), rows in sorted(published.items()):
    match = re.fullmatch(r"drift\.(\w+)\.(psi|psi_p|js|ks|wasserstein|chi_square|null_share)", name)
    if match is None or match[1] not in DESCRIPTORS:
        continue
    descriptor, statistic = match.groups()
    for (start, key), row in rows.items():
        group = dict(zip(DIMENSIONS, key))
        found = drift(descriptor, seconds, start, (group["tenant"], group["app"], group["scorer"]))
        compared_rows += 1
        where = f"{seconds} s {start} {group['tenant']}"
        known.setdefault((name, seconds), {})[start, key] = found
        if statistic == "null_share":
            if not same(row["value"], found["nulls"] / found["looked"]) or row["n"] != found["looked"] or row["bad_n"] != found["nulls"]:
                wrong(name, f"{where}: {row['bad_n']} / {row['n']}, expected {found['nulls']} / {found['looked']}")
            continue
        if not same(row["value"], found.get(statistic), 5e-3 * (statistic == "wasserstein") + 1e-9):
            wrong(name, f"{where}: {row['value']}, expected {found.get(statistic)} of {found}")
        p = found.get("ks_p" if statistic == "ks" else "psi_p")
        if statistic != "chi_square" and not (row["p"] is None and p is None or abs(row["p"] - p) < (0.05 if statistic == "ks" else 1e-6)):
            wrong(name, f"{where}: p {row['p']}, expected {p}")
        if row["value_status"] != ("thin" if "psi" not in found else "ok"):
            wrong(name, f"{where}: {row['value_status']} of {found}")
for (name, seconds), rows in published.items():
    if match := re.fullmatch(r"drift\.(\w+)\.psi_q", name):
        for start, scorer in {(start, key[-1]) for start, key in rows}:
            line = [(row, drift(match[1], seconds, start, (row["tenant"], row["app"], scorer)).get("psi_p")) for (at, key), row in rows.items() if (at, key[-1]) == (start, scorer)]
            decided = [p for _, p in line if p is not None]
            adjusted = iter(stats.false_discovery_control(decided) if decided else [])
            for row, p in line:
                compared_rows += 1
                want = None if p is None else float(next(adjusted))
                known.setdefault((name, seconds), {})[start, tuple(row[dimension] for dimension in DIMENSIONS)] = {"value": want}
                if not same(row["value"], want, 1e-6):
                    wrong(name, f"{seconds} s {start} {row['tenant']}: {row['value']}, expected {want}")

for (name, seconds), rows in published.items():
    if name == "drift.embedding.cosine":
        def mean(tenant, app, begin, end):
            texts = [text for text in stretch_of(requests, "embedding", (tenant, app, None), False, begin, end) if text]
            vectors = [np.array(json.loads(text)[:64]) for text in texts]
            return len(vectors), np.mean([np.round(v / np.linalg.norm(v) * 2048) / 2048 for v in vectors], axis=0) if vectors else None
        for (start, key), row in rows.items():
            n, here = mean(row["tenant"], row["app"], start, start + seconds)
            m, there = mean(row["tenant"], row["app"], start - (DAY if seconds == HOUR else 7 * DAY), start)
            compared_rows += 1
            want = None if min(n, m) < 30 else 1 - here @ there / np.linalg.norm(here) / np.linalg.norm(there)
            known.setdefault((name, seconds), {})[start, key] = {"value": want}
            if row["n"] != n or not same(row["value"], want, 2e-4):
                wrong(name, f"{seconds} s {start} {row['tenant']}: {row['value']} of {row['n']}, expected {want} of {n}")

# ---- words: texts by the buckets that their words fall into
def buckets(text):
    """The buckets of a text: FNV-1a of each word of at least three letters and no digit, in the order of reading, up to 64."""
    found = set()
    for word in re.findall(r"[^\W_]+", text.encode()[:2048].decode(errors="ignore").lower()):
        if len(word) >= 3 and word.isalpha():
            hashed = 0xCBF29CE484222325
            for letter in word:
                hashed = (hashed ^ ord(letter)) * 0x100000001B3 % 2**64
            found.add((hashed ^ hashed >> 32) % 512)
            if len(found) == 64:
                break
    return found


words_of = {}


def texts_by_bucket(column, tenant, app, begin, end):
    """Number of texts with words, and of those in each bucket, and the sum of squares of the buckets of each."""
    counts, texts, squares = collections.Counter(), 0, 0
    for text in stretch_of(requests, column, (tenant, app, None), False, begin, end):
        if text is None:
            continue
        mine = words_of.get(text)
        if mine is None:
            mine = words_of[text] = buckets(text)
        counts.update(mine)
        texts, squares = texts + bool(mine), squares + len(mine) ** 2
    return counts, texts, squares


for (name, seconds), rows in published.items():
    if match := re.fullmatch(r"drift\.(prompt|answer)_vocabulary\.js", name):
        column = {"prompt": "prompt", "answer": "response"}[match[1]]
        for (start, key), row in rows.items():
            here, n, squares = texts_by_bucket(column, row["tenant"], row["app"], start, start + seconds)
            there, m, squares_before = texts_by_bucket(column, row["tenant"], row["app"], start - (DAY if seconds == HOUR else 7 * DAY), start)
            compared_rows += 1
            found = {"value": None, "p": None, "expected": None}
            if min(n, m) >= 50:
                names = sorted(here.keys() | there.keys())
                w, r = (np.array([side[one] for one in names], float) for side in (here, there))
                a, b = w / w.sum(), r / r.sum()
                divergence = sum(float(np.sum(x[x > 0] * np.log2(x[x > 0] / ((a + b) / 2)[x > 0]))) for x in (a, b)) / 2
                spread = sum((len(names) - of / side.sum()) / side.sum() for side, of in ((w, squares), (r, squares_before)))
                share = w.sum() / (w.sum() + r.sum())
                tails = np.where(w > (w + r) * share, stats.binom.sf(w - 1, w + r, share), stats.binom.cdf(w, w + r, share))
                found = {"value": math.sqrt(max(0.0, divergence)), "p": min(1.0, len(names) * 2 * float(tails.min())), "expected": math.sqrt(spread / (8 * math.log(2)))}
            known[name, seconds][start, key] = found | {"counts": here}
            if row["n"] != n or row["sum"] != sum(here.values()) or any(not same(row[one], found[one], 1e-9) for one in ("value", "expected")):
                wrong(name, f"{seconds} s {start} {row['tenant']}: {row['value']} beside {row['expected']} of {row['n']}, expected {found} of {n}")
            if not (row["p"] is None and found["p"] is None or abs(row["p"] - found["p"]) < 1e-9):
                wrong(name, f"{seconds} s {start} {row['tenant']}: p {row['p']}, expected {found['p']}")

# ---- changes: hours of tenant and application beside the hour before
for (name, seconds), rows in sorted(published.items()):
    match = re.fullmatch(r"(.+)\.change(_within|_mix)?", name)
    if match is None:
        continue
    base = SPECS[match[1]]
    of_apps, of_models = (Spec(base.kind, base.frame, dims, base.looked, base.value, base.top, scored=base.scored, interval=base.interval) for dims in (APP, [*APP, "response_model"]))
    hours, parts, strata = expected(match[1], of_apps, HOUR), dispersions(of_apps, HOUR), expected(match[1], of_models, HOUR)
    for key, row in hours.items():
        with_interval(of_apps, row, parts.get(key))
    for (start, key), row in rows.items():
        group = dict(zip(DIMENSIONS, key))
        mine = tuple(group[name] for name in of_apps.keys)
        now, before = hours.get((start, mine)), hours.get((start - HOUR, mine))
        compared_rows += 1
        total = within = None
        if now and before and now["value"] is not None and before["value"] is not None:
            total = now["value"] - before["value"]
            models = {at[2] for hour, at in strata if hour in (start, start - HOUR)}
            cell = lambda hour, model: strata.get((hour, (*mine[:2], model, *mine[2:])))
            pairs = [(cell(start, model), cell(start - HOUR, model)) for model in models]
            within = sum(b["n"] / before["n"] * (a["value"] - b["value"]) for a, b in pairs if a and b and a["n"] and b["n"])
        want = {None: total, "_within": within, "_mix": None if total is None else total - within}[match[2]]
        known.setdefault((name, seconds), {})[start, key] = {"value": want}
        if not same(row["value"], want, 1e-9):
            wrong(name, f"{start} {mine}: {row['value']}, expected {want}")
        if match[2] is None and want is not None and now["lo"] is not None and before["lo"] is not None:
            if base.kind == "rate":
                lo = want - math.hypot(now["value"] - now["lo"], before["hi"] - before["value"])
                hi = want + math.hypot(now["hi"] - now["value"], before["value"] - before["lo"])
            else:
                errors = [np.var(side["values"], ddof=1) * (side["dispersion"] or 1.0) / side["n"] for side in (now, before)]
                degrees = sum(errors) ** 2 / sum(e * e / (side["n"] - 1) for e, side in zip(errors, (now, before)))
                half = stats.t.ppf(0.975, degrees) * math.sqrt(sum(errors))
                lo, hi = want - half, want + half
            if not same(row["lo"], max(-1.0, lo), 1e-6) or not same(row["hi"], min(1.0, hi), 1e-6):
                wrong(name, f"{start} {mine}: {row['lo']} to {row['hi']}, expected {lo} to {hi}")

# ---- the SQL of the page
sections = {}
for text in re.split(r"^## ", page, flags=re.M)[1:]:
    name, _, body = text.partition("\n")
    sections[name] = re.findall(r"```sql\n(.*?);?\n```", body, re.S)
queries, unseen = 0, []


def pooled(name, seconds, by):
    """The metric over all its windows, by these columns, from what was computed anew."""
    spec, groups = SPECS[name], collections.defaultdict(list)
    for (start, key), row in known[name, seconds].items():
        groups[tuple(dict(zip(DIMENSIONS, key))[column] for column in by)].append((start, row))
    found = {}
    for group, rows in groups.items():
        total = lambda column: sum(row[column] or 0 for _, row in rows)
        if spec.kind in ("rate", "mean", "ratio"):
            under = total("n")
            found[group] = total("bad_n" if spec.kind == "rate" else "sum") / under if under else None
        elif spec.kind in ("least", "exhaustion"):
            found[group] = min((row["value"] for _, row in rows if row["value"] is not None), default=None)
        elif spec.kind == "per_minute":
            found[group] = total("sum") / (len({start for start, _ in rows}) * seconds / 60)
        else:
            found[group] = total("n" if spec.kind == "count" else "sum")
    return found


def whole(name, by):
    """A composed metric over all requests, by these columns."""
    spec, compute = SPECS[name], composed(name)
    return {tuple(key): compute(rows) for key, rows in spec.frame.filter(spec.looked).group_by(*by) if "closing" not in key}


def run(name, sql):
    result = db.sql(sql)
    columns = result.columns
    return columns, [dict(zip(columns, row)) for row in result.fetchall()]


def check(name, sql):
    """Runs one query; whether it had anything to say."""
    row = next((row for (metric, seconds), rows in published.items() if metric == name
                for (start, key), row in sorted(rows.items(), key=lambda each: -each[0][0]) if row["value"] is not None or name == "feedback.maturity"), None)
    if row is not None:
        # Names and days that the page makes up.
        place = {"'t'": row["tenant"], "'a'": row["app"]}
        for made_up, real in place.items():
            sql = sql.replace(made_up, f"'{real}'")
        day = row["window_start"].date()
        sql = sql.replace("CURRENT_DATE", f"DATE '{day}' + 14")
        sql = sql.replace("DATE '2026-05-04'", f"DATE '{day}'").replace("TIMESTAMPTZ '2026-05-04", f"TIMESTAMPTZ '{day}").replace("TIMESTAMPTZ '2026-05-05'", f"TIMESTAMPTZ '{day}' + INTERVAL 1 DAY")
    columns, rows = run(name, sql)
    rows = [each for each in rows if any(value is not None for key, value in each.items() if key not in DIMENSIONS)]
    if not rows:
        return False
    if match := re.fullmatch(r"drift\.(\w+)\.psi", name):
        descriptor, kind, scored = DESCRIPTORS[match[1]]
        begin = int(row["window_start"].replace(hour=0, minute=0, second=0).timestamp())
        last = max(start for start, _ in published[name, HOUR]) + HOUR
        mine = [one for one in stretch_of(requests, descriptor, (row["tenant"], row["app"], row["scorer"]), scored, begin, min(begin + DAY, last)) if one is not None]
        wanted = collections.Counter(edges(kind, mine, 1)) if kind else collections.Counter(mine)
        if sorted(row["n"] for row in rows) != sorted(wanted.values()):
            wrong(name, f"its SQL counts {rows[:3]}, expected {sorted(wanted.items())[:3]}")
        return True
    if re.fullmatch(r"drift\.\w+_vocabulary\.js", name):
        begin = int(row["window_start"].replace(hour=0, minute=0, second=0).timestamp())
        wanted = collections.Counter()
        for (start, key), each in known[name, HOUR].items():
            if begin <= start < begin + DAY and key[:2] == (row["tenant"], row["app"]):
                wanted.update(each["counts"])
        if sorted(wanted.items()) != sorted((int(each["bucket"]), each["texts"]) for each in rows):
            wrong(name, f"its SQL counts {rows[:3]}, expected {sorted(wanted.items())[:3]}")
        return True
    if {"window_start", "tenant", "app"} <= set(columns):
        # One value for each window of an application.
        known_values = {(start, key[0], key[1]): row for (metric, seconds), found in known.items() if metric == name and seconds == HOUR for (start, key), row in found.items()}
        statistic = name.rsplit(".", 1)[1]
        for row in rows:
            wanted = known_values.get((int(row["window_start"].timestamp()), row["tenant"], row["app"]))
            wanted = None if wanted is None else wanted["value"] if "value" in wanted else wanted.get(statistic)
            if not same(row["value"], wanted, 5e-3 if statistic in ("wasserstein", "cosine") else 1e-9):
                wrong(name, f"its SQL says {row}, expected {wanted}")
        return True
    by = [column for column in columns if column in DIMENSIONS]
    value = next((column for column in columns if column in ("value", "change", "within", "mix", "p50", "p90", "p95", "p99")), None)
    if value is None:
        wrong(name, f"its SQL names no value: {columns}")
        return True
    if name in SPECS and SPECS[name].kind == "composed":
        wanted = whole(name, by)
    elif name.endswith(".null_share"):
        sums = collections.defaultdict(lambda: np.zeros(2))
        for (start, key), row in known[name, HOUR].items():
            sums[tuple(dict(zip(DIMENSIONS, key))[column] for column in by)] += (row["nulls"], row["looked"])
        wanted = {group: float(nulls / looked) for group, (nulls, looked) in sums.items()}
    elif name == "feedback.maturity":
        wanted = collections.defaultdict(list)
        for tenant, app, given in answered.filter(col("tenant") != "closing").select(*APP, "delay").rows():
            wanted[tenant, app].append(min(1, max(0, (7200 - log_bins([given])[0]) / 3600)))
        wanted = {group: float(np.mean(shares)) for group, shares in wanted.items()}
    elif name.startswith("ledger."):
        rows_of = ledger[name].values()
        wanted = {(): sum(row["bad_n"] for row in rows_of) / sum(row["n"] for row in rows_of) if name.endswith("ratio") else sum(row["value"] for row in rows_of)}
    elif name == "index.freshness_s":
        wanted = collections.defaultdict(float)
        for (start, key), row in known[name, HOUR].items():
            group = tuple(dict(zip(DIMENSIONS, key))[column] for column in by)
            wanted[group] = max(wanted[group], row["value"])
    elif name in SPECS:
        seconds = int(re.search(r"window_s = (\d+)", sql)[1])
        wanted = pooled(name, seconds, by)
        if SPECS[name].occurring:
            wanted = occurring(name, seconds, by)
        if quantile := next((column for column in columns if column in ("p50", "p90", "p95", "p99")), None):
            return quantiles(name, seconds, by, rows, quantile)
    else:
        wrong(name, "nothing says what its SQL must find: say it in tests/integration/metrics_page.py")
        return True
    found = {tuple(row[column] for column in by): row[value] for row in rows}
    wanted = {key: one for key, one in wanted.items() if one is not None}
    for key in found.keys() | wanted.keys():
        if not same(found.get(key), wanted.get(key), 2e-6 if name in SPECS and SPECS[name].exact > 1e-9 else 1e-9) and not (name in SPECS and SPECS[name].exact > 1e-4 and abs(found.get(key, 0) - wanted.get(key, 0)) < 1e-3):
            wrong(name, f"its SQL says {found.get(key)} of {key}, expected {wanted.get(key)}")
    return True


def occurring(name, seconds, by):
    """Of what has rows only where it occurred: over everything it could have occurred in."""
    spec = SPECS[name]
    last = max(start for start, _ in published["requests", HOUR])
    rows = spec.frame.filter(col("at") < (last + HOUR) * 1_000_000)
    found = rows.group_by(*by).agg(bad=(spec.top & spec.looked).sum(), n=spec.looked.sum())
    return {tuple(row[key] for key in by): row["bad"] / row["n"] for row in found.to_dicts() if row["n"]}


def quantiles(name, seconds, by, rows, quantile):
    """A quantile from merged histograms is at most one bin above the value of its rank."""
    values = collections.defaultdict(list)
    for (start, key), row in known[name, seconds].items():
        values[tuple(dict(zip(DIMENSIONS, key))[column] for column in by)].extend(row["values"])
    for row in rows:
        mine = sorted(values[tuple(row[column] for column in by)])
        at = mine[math.ceil(int(quantile[1:]) / 100 * len(mine)) - 1]
        if not at - SPECS[name].exact <= row[quantile] <= (at + 0.01 if SPECS[name].hist == "linear" else at * (1 + 1 / 64)) + SPECS[name].exact:
            wrong(name, f"its SQL says {quantile} {row[quantile]}, of the values {at}")
    return True


for name, texts in sections.items():
    said = False
    for sql in texts:
        try:
            said = check(name, sql) or said
            queries += 1
        except duckdb.Error as error:
            wrong(name, f"its SQL does not run: {error}")
    if texts and not said:
        unseen.append(name)
    if texts and not any(metric == name for metric, _ in published) and name not in unseen:
        unseen.append(name)
print(json.dumps({"problems": problems, "unseen": unseen, "rows": compared_rows, "queries": queries,
                  "unchecked": sorted({name for name, _ in published} - {name for name, _ in known})}))
