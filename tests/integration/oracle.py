"""oracle.py LAKE RECORDS…: recomputes from the raw records what a lake of gateway logs must hold, and lists every difference.

Shares no code with the service: plain loops over the records as a consumer read them. RECORDS hold one JSON object per record:
topic, partition, offset, timestamp_ms, value. Prints {"differences": […], and how much was compared}.
"""

import collections
import glob
import hashlib
import json
import math
import os
import sys

import polars as pl

lake, files = sys.argv[1], sys.argv[2:]
differences = []
GROUP = ("tenant", "app", "response_model", "prompt_version", "variant")
DEDUP_MS = 3_600_000
AHEAD_MS = 300_000
LATENESS_MS = 30_000


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


# ---- every record has one fate
records = [json.loads(line) for file in files for line in open(file)]
records.sort(key=lambda r: (r["topic"], r["partition"], r["offset"]))
fates = collections.Counter()
accepted = {}
seen = {}
for record in records:
    place = (record["topic"], record["partition"], record["offset"])
    try:
        log = json.loads(record["value"])
        fields = isinstance(log, dict) and log.get("request_id") and log.get("event_time") is not None
    except ValueError:
        fields = False
    if not fields:
        fates["rejected"] += 1
        continue
    if record["timestamp_ms"] is not None and log["event_time"] > record["timestamp_ms"] + AHEAD_MS:
        fates["rejected"] += 1
        continue
    key = (record["topic"], log.get("tenant"), log["request_id"])
    if key in seen and abs(seen[key] - log["event_time"]) <= DEDUP_MS:
        fates["duplicate"] += 1
        continue
    seen[key] = log["event_time"]
    fates["accepted"] += 1
    accepted[place] = log


def table(name):
    found = sorted(glob.glob(f"{lake}/{name}/v1/*/*.parquet"))
    return pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in found], how="vertical_relaxed") if found else None


# ---- interactions: each accepted record once, with its fields
rows = table("interactions")
found = {}
for row in rows.iter_rows(named=True) if rows is not None else []:
    place = (row["source_topic"], row["source_partition"], row["source_offset"])
    if place in found:
        differ("a position is in interactions twice", 1, place)
    found[place] = row
for place in sorted(set(accepted) - set(found)):
    differ("a record is missing from interactions", accepted[place]["request_id"], place)
for place in sorted(set(found) - set(accepted)):
    differ("a row of interactions has no accepted record", place, found[place]["request_id"])
for place in set(accepted) & set(found):
    log, row = accepted[place], found[place]
    expected = (
        log["request_id"], log["event_time"], log.get("tenant"), log.get("app"), log.get("response_model"), log.get("prompt_version"), status_of(log),
        log.get("latency_ms"), log["usage"]["input_tokens"], log["usage"]["output_tokens"],
    )
    got = (
        row["request_id"], round(row["event_time"].timestamp() * 1000), row["tenant"], row["app"], row["response_model"], row["prompt_version"], row["status"],
        row["latency_ms"], row["usage_input_tokens"], row["usage_output_tokens"],
    )
    if expected != got:
        differ(f"fields of {place}", expected, got)

# ---- rejects
refused = table("rejects")
if (0 if refused is None else len(refused)) != fates["rejected"]:
    differ("rows of rejects", fates["rejected"], 0 if refused is None else len(refused))

# ---- metrics: the newest revision of every window says what the raw records say
windows = collections.defaultdict(lambda: [0, 0, 0])  # n, bad_n, sum (latency in thousandths, tokens whole)
for log in accepted.values():
    status = status_of(log)
    named = log | {"response_model": log.get("response_model") or log.get("request_model")}
    group = tuple(named.get(dimension) for dimension in GROUP)
    for length in (60, 3600):
        start = log["event_time"] // (length * 1000) * length  # s

        def add(metric, value=0, bad=0):
            cell = windows[(metric, length, start, group)]
            cell[0] += 1
            cell[1] += bad
            cell[2] += value

        add("requests")
        add("tokens.input", log["usage"]["input_tokens"])
        add("tokens.output", log["usage"]["output_tokens"])
        if log.get("latency_ms") is not None:
            add("latency_ms", round(log["latency_ms"] * 1000))
        if status not in ("client_4xx", "cancelled", "content_filtered"):
            add("error_rate", bad=int(status in ("provider_5xx", "timeout", "throttled_429")))
# Windows that every partition has passed must be published; of the others only what is published must be right.
newest_event = {}
for place, log in accepted.items():
    newest_event[place[:2]] = max(newest_event.get(place[:2], 0), log["event_time"])
passed = min(newest_event.values(), default=0) - LATENESS_MS
METRICS = {key[0] for key in windows}
rows = table("metrics")
newest = {}
for row in rows.iter_rows(named=True) if rows is not None else []:
    if row["metric"] not in METRICS:
        continue
    key = (row["metric"], row["window_s"], round(row["window_start"].timestamp()), tuple(row[dimension] for dimension in GROUP))
    if key in newest and newest[key]["revision"] == row["revision"]:
        differ("a revision is published twice", key, row["revision"])
    if key not in newest or newest[key]["revision"] < row["revision"]:
        newest[key] = row
due = {key for key in windows if (key[1] + key[2]) * 1000 <= passed}
for key in sorted(due - set(newest), key=repr):
    differ("a window is missing from metrics", windows[key], key)
for key in sorted(set(newest) - set(windows), key=repr):
    if newest[key]["n"]:
        differ("a window of metrics has no records", key, newest[key]["n"])
for key in set(windows) & set(newest):
    (n, bad, total), row = windows[key], newest[key]
    if row["n"] != n:
        differ(f"n of {key}", n, row["n"])
    if key[0] == "error_rate" and row["bad_n"] != bad:
        differ(f"bad_n of {key}", bad, row["bad_n"])
    total = total / 1000 if key[0] == "latency_ms" else total
    if key[0] in ("tokens.input", "tokens.output", "latency_ms") and not math.isclose(row["sum"], total, rel_tol=1e-12):
        differ(f"sum of {key}", total, row["sum"])

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

print(json.dumps({"differences": differences, "records": len(records), "fates": dict(fates), "windows": len(due), "entries": number}))
