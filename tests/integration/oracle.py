"""oracle.py duckdb|polars|pyarrow LAKE RECORDS…: recomputes from the raw records what a lake must hold, and lists every difference.

Shares no code with the service: plain loops over the records as a consumer read them. RECORDS hold one JSON object per record:
topic, partition, offset, timestamp_ms, value; topics of feedback and of pipeline events are known by their names' ends. Prints {"differences": […], and how much was compared}.
"""

import collections
import glob
import hashlib
import json
import math
import os
import sys

engine, lake, files = sys.argv[1], sys.argv[2], sys.argv[3:]
differences = []
GROUP = ("tenant", "app", "response_model", "prompt_version", "variant")
DEDUP_MS = 3_600_000
AHEAD_MS = 300_000


def differ(what, expected, found):
    if len(differences) < 50:
        differences.append({"what": what, "expected": repr(expected), "found": repr(found)})


def status_of(log):
    http, error, finish = log.get("http_status"), log.get("error_type"), log.get("finish_reason")
    if http == 429:
        return "throttled_429"
    if http in (408, 504) or error == "timeout":
        return "timeout"
    if http is not None and 500 <= http <= 599:
        return "provider_5xx"
    if http == 400 and finish == "content_filter":
        return "content_filtered"
    if http == 499:
        return "cancelled"
    if http is not None and 400 <= http <= 499:
        return "client_4xx"
    named = {"ok": "ok", "error": "provider_5xx", "filtered": "content_filtered", "cancelled": "cancelled", "throttled": "throttled_429", "timeout": "timeout"}
    return named[log.get("status") or "ok"]


def input_of(topic):
    return "feedback" if topic.endswith("-feedback") else "pipeline" if topic.endswith("-pipelines") else "gateway"


def is_event(event, input):
    """The fields without which a record is refused."""
    if not isinstance(event, dict) or event.get("event_time") is None:
        return False
    if input == "gateway":
        return bool(event.get("request_id"))
    if input == "feedback":
        return bool(event.get("name")) and bool((event.get("target") or {}).get("request_id"))
    return bool(event.get("run_id")) and bool(event.get("job")) and event.get("state") in STATES


# ---- every record has one fate
STATES = ("START", "RUNNING", "COMPLETE", "FAIL", "ABORT")
records = [json.loads(line) for file in files for line in open(file)]
records.sort(key=lambda r: (r["topic"], r["partition"], r["offset"]))
fates = collections.Counter()
accepted = {"gateway": {}, "feedback": {}, "pipeline": {}}
seen = {}
ledger = []
for record in records:
    place, input = (record["topic"], record["partition"], record["offset"]), input_of(record["topic"])
    try:
        event = json.loads(record["value"])
        fields = is_event(event, input)
    except ValueError:
        fields = False
    if not fields or record["timestamp_ms"] is not None and event["event_time"] > record["timestamp_ms"] + AHEAD_MS:
        fates["rejected"] += 1
        ledger.append((input, "rejected", record["timestamp_ms"]))
        continue
    key = {
        "gateway": lambda: (event.get("tenant"), event["request_id"]),
        # A repeat says the same of the same time; anything else is news.
        "feedback": lambda: (event["name"], event.get("feedback_id") or place, event["event_time"]),
        "pipeline": lambda: (event["state"], event["run_id"], event["event_time"]),
    }[input]()
    key = (record["topic"], *key)
    if key in seen and abs(seen[key] - event["event_time"]) <= DEDUP_MS:
        fates["duplicate"] += 1
        ledger.append((input, "duplicate", event["event_time"]))
        continue
    seen[key] = event["event_time"]
    fates["accepted"] += 1
    ledger.append((input, "accepted", event["event_time"]))
    if input == "gateway" and event.get("response") is None:
        ledger.append((input, "accepted.unscored", event["event_time"]))
    accepted[input][place] = event
logs, feedback, runs = accepted["gateway"], accepted["feedback"], accepted["pipeline"]


def table(name):
    """All rows of a table as dictionaries, as the engine reads them."""
    found = sorted(glob.glob(f"{lake}/{name}/v1/*/*.parquet"))
    if not found:
        return []
    if engine == "duckdb":
        import duckdb

        read = duckdb.connect().execute(f"SELECT * FROM read_parquet('{lake}/{name}/v1/*/*.parquet', hive_partitioning = true)")
        columns = [column[0] for column in read.description]
        return [dict(zip(columns, row)) for row in read.fetchall()]
    if engine == "pyarrow":
        import pyarrow.dataset

        return pyarrow.dataset.dataset(f"{lake}/{name}/v1", format="parquet", partitioning="hive").to_table().to_pylist()
    import polars

    return polars.scan_parquet(f"{lake}/{name}/v1/*/*.parquet", hive_partitioning=True).collect().to_dicts()


# ---- interactions: each accepted record once, with its fields
def compare(name, events, fields_of_event, fields_of_row, latest=False):
    """Each accepted record is once in its table, with its fields; of feedback, its latest revision."""
    found = {}
    for row in table(name):
        place = (row["source_topic"], row["source_partition"], row["source_offset"])
        if place in found and (not latest or row["revision"] == found[place]["revision"]):
            differ(f"a position is in {name} twice", 1, place)
        if place not in found or row["revision"] > found[place]["revision"]:
            found[place] = row
    for place in sorted(set(events) - set(found)):
        differ(f"a record is missing from {name}", events[place], place)
    for place in sorted(set(found) - set(events)):
        differ(f"a row of {name} has no accepted record", place, found[place])
    for place in set(events) & set(found):
        expected, got = fields_of_event(events[place]), fields_of_row(found[place])
        if expected != got:
            differ(f"fields of {name} {place}", expected, got)


def ms(time):
    return None if time is None else round(time.timestamp() * 1000)


compare(
    "interactions",
    logs,
    lambda log: (
        log["request_id"], log["event_time"], log.get("tenant"), log.get("app"), log.get("response_model"), log.get("prompt_version"),
        status_of(log), log.get("latency_ms"), log["usage"]["input_tokens"], log["usage"]["output_tokens"],
    ),
    lambda row: (
        row["request_id"], ms(row["event_time"]), row["tenant"], row["app"], row["response_model"], row["prompt_version"],
        row["status"], row["latency_ms"], row["usage_input_tokens"], row["usage_output_tokens"],
    ),
)

# ---- feedback names its answer, wherever and whenever that was read
answers = {log["request_id"]: log for log in logs.values()}


def answer_of(event):
    log = answers.get(event["target"]["request_id"])
    return log if log is not None and log["event_time"] <= event["event_time"] else None


def score_of(event):
    return None if event.get("score") is None else float(event["score"])


def answered(event):
    log = answer_of(event)
    match = ("pending", None, None) if log is None else ("matched", log["request_id"], log["event_time"])
    return (event.get("feedback_id"), event["event_time"], event["name"], score_of(event), event.get("tenant"), event.get("app"), *match)


compare(
    "feedback",
    feedback,
    answered,
    lambda row: (
        row["feedback_id"], ms(row["event_time"]), row["name"], row["score"], row["tenant"], row["app"], row["match"],
        row["answer_request_id"], ms(row["answer_event_time"]),
    ),
    latest=True,
)
compare(
    "pipeline_events",
    runs,
    lambda run: tuple(run.get(name) for name in ("run_id", "event_time", "job", "kind", "state", "started_at", "ended_at", "rows_out", "rows_failed")),
    lambda row: (
        row["run_id"], ms(row["event_time"]), row["job"], row["kind"], row["state"], ms(row["started_at"]), ms(row["ended_at"]),
        row["rows_out"], row["rows_failed"],
    ),
)

# ---- rejects
refused = len(table("rejects"))
if refused != fates["rejected"]:
    differ("rows of rejects", fates["rejected"], refused)

# ---- metrics: the newest revision of every window says what the raw records say
Cell = lambda: {"n": 0, "bad_n": 0, "n_null": 0, "sum": 0, "inputs": set()}
windows = collections.defaultdict(Cell)


def count(metric, event, lengths, inputs, group, n=1, bad_n=0, n_null=0, sum=0):
    for length in lengths:
        key = (metric, length, event["event_time"] // (length * 1000) * length, tuple(sorted(group.items())))
        cell = windows[key]
        for name, value in (("n", n), ("bad_n", bad_n), ("n_null", n_null), ("sum", sum)):
            cell[name] += value
        cell["inputs"] |= set(inputs)


def pick(event, *names):
    return {name: event[name] for name in names if event.get(name) is not None}


def group_of(log):
    """An answer whose model is not named is counted under the one that was asked for."""
    return pick(log | {"response_model": log.get("response_model") or log.get("request_model")}, *GROUP)


MINUTE, QUARTER, HOUR, DAY = 60, 900, 3600, 86400
AGE = "index.age_at_answer_s"
for log in logs.values():
    status, group = status_of(log), group_of(log)
    of_gateway = ((MINUTE, HOUR), ("gateway",), group)
    count("requests", log, *of_gateway)
    count("tokens.input", log, *of_gateway, sum=log["usage"]["input_tokens"])
    count("tokens.output", log, *of_gateway, sum=log["usage"]["output_tokens"])
    if log.get("latency_ms") is not None:
        count("latency_ms", log, *of_gateway, sum=log["latency_ms"])
    if status not in ("client_4xx", "cancelled", "content_filtered"):
        count("error_rate", log, *of_gateway, bad_n=int(status in ("provider_5xx", "timeout", "throttled_429")))

# From where a score is good; a name that is not known has no direction.
GOOD_FROM = {"thumbs": 1.0, "rating": 4.0, "resolved": 1.0}


def rate(metric, mean, event, score, at, lengths, inputs, group):
    known = score is not None and event["name"] in GOOD_FROM
    positive = known and score >= GOOD_FROM[event["name"]]
    group = group | {"feedback_name": event["name"]}
    count(metric, at, lengths, inputs, group, n=int(known), bad_n=int(positive), n_null=int(not known))
    count(mean, at, lengths, inputs, group, n=int(score is not None), n_null=int(score is None), sum=score or 0)


# Feedback counts by its answer for a week.
HORIZON_MS = 7 * 86_400_000
rated = set()
for event in feedback.values():
    score, group = score_of(event), pick(event, "tenant", "app")
    count("feedback.count", event, (QUARTER, HOUR), ("feedback",), group)
    rate("feedback.positive_rate", "feedback.mean_rating", event, score, event, (QUARTER, HOUR), ("feedback",), group)
    log = answer_of(event)
    if log is not None and event["event_time"] - log["event_time"] <= HORIZON_MS:
        by_answer = ((HOUR, DAY), ("gateway", "feedback"), group_of(log))
        rate("feedback.positive_rate_by_answer", "feedback.mean_rating_by_answer", event, score, log, *by_answer)
        count("feedback.delay_by_answer_s", log, *by_answer, sum=-(-(event["event_time"] - log["event_time"]) // 1000))
        if log["request_id"] not in rated:
            rated.add(log["request_id"])
            count("feedback.response_rate_by_answer", log, *by_answer, n=0, bad_n=1)
# Denominators: the requests of a group in whose window something was rated; of an application in whose window feedback came.
for log in logs.values():
    for length in (HOUR, DAY):
        key = ("feedback.response_rate_by_answer", length, log["event_time"] // (length * 1000) * length, tuple(sorted(group_of(log).items())))
        if key in windows:
            windows[key]["n"] += 1
for event in feedback.values():
    count("feedback.response_rate", event, (HOUR,), ("gateway", "feedback"), pick(event, "tenant", "app"), n=0, sum=1)
for log in logs.values():
    key = ("feedback.response_rate", HOUR, log["event_time"] // (HOUR * 1000) * HOUR, tuple(sorted(pick(log, "tenant", "app").items())))
    if key in windows:
        windows[key]["n"] += 1

published = collections.defaultdict(set)
for run in runs.values():
    if run["state"] not in ("COMPLETE", "FAIL", "ABORT"):
        continue
    of_job = ((HOUR,), ("pipeline",), pick(run, "tenant", "app", "job"))
    failed = int(run["state"] != "COMPLETE")
    count("pipeline.runs", run, *of_job)
    count("pipeline.failure_rate", run, *of_job, bad_n=failed)
    if run.get("started_at") is not None:
        count("pipeline.duration_s", run, *of_job, sum=(run.get("ended_at", run["event_time"]) - run["started_at"]) / 1000)
    if run.get("rows_out") is not None:
        count("pipeline.rows_out", run, *of_job, sum=run["rows_out"])
        count("pipeline.rows_failed_ratio", run, *of_job, n=run["rows_out"] + run["rows_failed"], sum=run["rows_failed"])
    if run["state"] == "COMPLETE" and not run.get("rows_failed") and run.get("kind") == "index":
        for index in run.get("outputs", []):
            published[tuple(sorted((pick(run, "tenant", "app") | {"index": index["name"]}).items()))].add(run["event_time"])

# ---- the age of the version that served: since its first whole publication, by a run of the same application, tenant, or anybody
versions = {}
for run in runs.values():
    if run["state"] == "COMPLETE" and not run.get("rows_failed") and run.get("kind") == "index":
        for index in run.get("outputs", []):
            version = (run.get("tenant"), run.get("app"), f"{index['name']}@{index['version']}")
            versions[version] = min(versions.get(version, math.inf), run["event_time"])
for log in logs.values():
    if status_of(log) != "ok" or log.get("index") is None:
        continue
    tenant, app, index = log.get("tenant"), log.get("app"), log["index"]
    known = [versions[key] for key in ((tenant, app, index), (tenant, None, index), (None, None, index)) if key in versions]
    group = pick(log, "tenant", "app") | {"index": index.split("@")[0]}
    age = {"n": 1, "sum": log["event_time"] - known[0]} if known else {"n": 0, "n_null": 1}
    count(AGE, log, (QUARTER, HOUR), ("gateway", "pipeline"), group, **age)

# ---- the ledger: every record once, refused ones at their own time
for input, fate, time in ledger:
    names = [fate] if "." in fate else ["consumed", fate]
    for name in names:
        count(f"ledger.{input}.{name}", {"event_time": time}, (HOUR,), (input,), {})

# Windows that every partition of their inputs has passed must be published; of the others only what is published must be right.
LATENESS_MS = {"gateway": 30_000, "feedback": 30_000, "pipeline": 60_000}
passed = {}
for input, events in accepted.items():
    newest_event = {}
    for place, event in events.items():
        newest_event[place[:2]] = max(newest_event.get(place[:2], 0), event["event_time"])
    passed[input] = min(newest_event.values(), default=0) - LATENESS_MS[input]
METRICS = {key[0] for key in windows} | {"index.freshness_s"}
DIMENSIONS = ("tenant", "app", "response_model", "prompt_version", "variant", "environment", "job", "index", "feedback_name")
SUMS = {
    "tokens.input", "tokens.output", "latency_ms", "feedback.mean_rating", "feedback.mean_rating_by_answer", "feedback.response_rate", "feedback.delay_by_answer_s",
    "pipeline.duration_s", "pipeline.rows_out", "pipeline.rows_failed_ratio", AGE,
}
RATES = {"error_rate", "feedback.positive_rate", "feedback.positive_rate_by_answer", "feedback.response_rate_by_answer", "pipeline.failure_rate"}
newest = {}
for row in table("metrics"):
    if row["metric"] not in METRICS:
        continue
    key = (row["metric"], row["window_s"], round(row["window_start"].timestamp()), tuple(sorted(pick(row, *DIMENSIONS).items())))
    if key in newest and newest[key]["revision"] == row["revision"]:
        differ("a revision is published twice", key, row["revision"])
    if key not in newest or newest[key]["revision"] < row["revision"]:
        newest[key] = row
due = {key for key, cell in windows.items() if all((key[1] + key[2]) * 1000 <= passed[input] for input in cell["inputs"])}
for key in sorted(due - set(newest), key=repr):
    differ("a window is missing from metrics", windows[key], key)
for key in sorted(set(newest) - set(windows), key=repr):
    if newest[key]["n"] and key[0] != "index.freshness_s":
        differ("a window of metrics has no records", key, newest[key]["n"])
for key in set(windows) & set(newest):
    cell, row = windows[key], newest[key]
    for name in ("n", "n_null", "bad_n"):
        wanted = name == "n" or name == "bad_n" and key[0] in RATES or name == "n_null" and (key[0] == AGE or key[0].startswith("feedback.") and "response" not in key[0])
        if wanted and row[name] != cell[name]:
            differ(f"{name} of {key}", cell[name], row[name])
    total = cell["sum"] / 1000 if key[0] == AGE else cell["sum"]
    if key[0] in SUMS and not math.isclose(row["sum"], total, rel_tol=1e-12, abs_tol=1e-9):
        differ(f"sum of {key}", total, row["sum"])
    if key[0] == AGE and cell["n"] and not math.isclose(row["value"], total / cell["n"], rel_tol=1e-12, abs_tol=1e-9):
        differ(f"value of {key}", total / cell["n"], row["value"])
    if key[0] in RATES and cell["n"] and not math.isclose(row["value"], cell["bad_n"] / cell["n"], rel_tol=1e-12):
        differ(f"value of {key}", cell["bad_n"] / cell["n"], row["value"])

# ---- ages: how old an index is at the end of every window after its first whole publication
for group, times in published.items():
    for length in (QUARTER, HOUR):
        end = -(-min(times) // (length * 1000)) * length * 1000
        while end <= passed["pipeline"]:
            row = newest.get(("index.freshness_s", length, end // 1000 - length, group))
            age = (end - max(time for time in times if time <= end)) / 1000
            if row is None or not math.isclose(row["value"], age, abs_tol=1e-6):
                differ(f"age of {group} at {end} by {length} s", age, row and row["value"])
            end += length * 1000

# ---- the log: gapless, every cursor starts where the last one ended, outcomes add up, files are what their entries say
ends, counted, listed, removed, number = {}, collections.Counter(), {}, set(), None
# A killed process may leave the temporary file of a write that never happened: `000000000003.json#1`.
for name in sorted(name for name in os.listdir(f"{lake}/_groundwire/log") if name.endswith(".json")):
    entry = json.load(open(f"{lake}/_groundwire/log/{name}"))
    if number is not None and entry["number"] != number + 1:
        differ("numbers of the log", number + 1, entry["number"])
    number = entry["number"]
    for cursor in entry["cursors"]:
        if cursor["input"] in ends and ends[cursor["input"]] != cursor["from"]:
            differ(f"cursor of {cursor['input']} in entry {number}", ends[cursor["input"]], cursor["from"])
        ends[cursor["input"]] = cursor["to"]
    for counts in entry.get("outcomes", {}).get("records", {}).values():
        counted["accepted"] += counts.get("accepted", 0)
        counted["duplicate"] += counts.get("duplicate", 0)
        counted["rejected"] += sum(counts.get("rejected", {}).values())
    for file in entry.get("files", []):
        listed[file["final"]] = file
    removed |= set(entry.get("remove", []))
for fate in ("accepted", "duplicate", "rejected"):
    if counted[fate] != fates[fate]:
        differ(f"{fate} records in the log", fates[fate], counted[fate])
for final in set(listed) - removed:
    if listed[final]["table"].startswith("_"):
        continue
    path = f"{lake}/{final}"
    if not os.path.exists(path):
        differ("a file of the log does not exist", final, None)
    elif hashlib.sha256(open(path, "rb").read()).hexdigest() != listed[final]["sha256"]:
        differ("sha256", final, "another")
for path in glob.glob(f"{lake}/*/v1/*/*.parquet"):
    if os.path.relpath(path, lake) not in listed:
        differ("a file that no entry lists", None, os.path.relpath(path, lake))

ages = {name: sum(windows[key][name] for key in due if key[0] == AGE) for name in ("n", "n_null")}
print(json.dumps({"differences": differences, "records": len(records), "fates": dict(fates), "windows": len(due), "ages": ages, "entries": number}))
