"""alerts_oracle.py LAKE RULES: recomputes from the rows of `metrics` what every rule must have done, and lists every difference.

Shares no code with the service: the states of docs/alerts.md over minutes of `error_rate` by tenant. RULES is a JSON list of
{"alert", "over", "for", "keep", "min_samples"} in minutes, with "value" (fires from this value on) or with "delta" (fires from this
distance to the baseline on) and "window", "gap", "base_samples". Prints {"differences": […], "transitions": …}.
"""

import collections
import glob
import json
import sys

import duckdb

lake, rules = sys.argv[1], json.loads(sys.argv[2])
db = duckdb.connect()


def rows(sql):
    return db.execute(sql).fetchall()


# Minutes of each tenant: starts in minutes since 1970, with values and bad ones, in their latest revision.
minutes = collections.defaultdict(dict)
for tenant, minute, n, bad in rows(f"""
    SELECT tenant, minute, sum(n), sum(bad_n) FROM (
        SELECT *, epoch(window_start)::BIGINT // 60 AS minute FROM read_parquet('{lake}/metrics/v1/*/*.parquet')
        WHERE metric = 'error_rate' AND window_s = 60
        QUALIFY revision = max(revision) OVER (PARTITION BY window_start, tenant, app, response_model, prompt_version, variant)
    ) GROUP BY ALL"""):
    minutes[tenant][minute] = (int(n), int(bad))
end = max(minute for of_tenant in minutes.values() for minute in of_tenant)


def pooled(tenant, start, stop):
    cells = [minutes[tenant][minute] for minute in range(start, stop) if minute in minutes[tenant]]
    return (sum(n for n, _ in cells), sum(bad for _, bad in cells)) if cells else None


def judge(rule, tenant, t, frozen):
    """Verdict of the window that ends at `t`, with its numbers and its baseline."""
    seen = pooled(tenant, t - rule["over"], t)
    if seen is None:
        return "missing", None, None, None
    n, bad = seen
    if n < rule["min_samples"]:
        return "thin", n, None, None
    if "value" in rule:
        return ("breach" if bad / n >= rule["value"] else "clear"), n, bad / n, None
    stop = t - rule["over"] - rule["gap"]
    base = frozen or pooled(tenant, stop - rule["window"], stop)
    if base is None or base[0] < rule["base_samples"]:
        return "error", n, bad / n, None
    delta = bad / n - base[1] / base[0]
    return ("breach" if delta >= rule["delta"] else "clear"), n, bad / n, base


expected = []
for rule in rules:
    for tenant in minutes:
        phase, clock, frozen = "inactive", 0, None
        for t in range(min(minutes[tenant]) + 1, end + 1):
            verdict, n, value, base = judge(rule, tenant, t, frozen)
            moves = []

            def go(to, reason):
                global phase, clock
                moves.append((phase, to, reason))
                phase, clock = to, 0

            if phase in ("inactive", "pending") and verdict == "breach":
                if phase == "inactive":
                    go("pending", "breach")
                    frozen = base
                clock += 1
                if clock >= rule["for"]:
                    go("firing", "breach")
            elif phase == "pending" and verdict == "clear":
                go("inactive", "not_breached")
            elif phase in ("firing", "recovering") and verdict == "clear":
                if phase == "firing":
                    go("recovering", "clear")
                clock += 1
                if clock >= rule["keep"]:
                    go("inactive", "recovered")
            elif phase == "recovering" and verdict == "breach":
                go("firing", "relapse")
            for move in moves:
                numbers = (n, round(value, 9), base and base[0], base and round(base[1] / base[0], 9))
                expected.append((rule["alert"], tenant, t * 60, *move, *numbers))
            if phase == "inactive":
                frozen = None

found = []
for rule, labels, time, before, after, reason, n, value, base_n, base in rows(f"""
    SELECT rule, labels, epoch(event_time)::BIGINT, from_state, to_state, reason, n, value, baseline_n, baseline
    FROM read_parquet('{lake}/alert_events/v1/*/*.parquet')"""):
    tenant = json.loads(labels)["tenant"]
    found.append((rule, tenant, time, before, after, reason, n, round(value, 9), base_n, None if base is None else round(base, 9)))
both = (collections.Counter(expected), collections.Counter(found))
differences = [{"expected": repr(move)} for move in (both[0] - both[1]).elements()]
differences += [{"found": repr(move)} for move in (both[1] - both[0]).elements()]
print(json.dumps({"differences": differences, "transitions": len(expected)}))
