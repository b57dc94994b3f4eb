"""metrics_traffic.py FOLDER DAY: appends to topics below a folder what arrives on a day, 0 to 2, and on 3 what closes them.

Metrics of nearly every kind have rows of it: four busy hours a day of two tenants, all ways to end, all states of answers, prices, quotas,
safety, references, labels, embeddings, feedback that changes its mind, and pipelines; one of twenty records comes two hours late. Always
the same records. Feedback is settled between days: it may come later than a process remembers answers, and change its mind."""

import json
import pathlib
import random
import sys

folder, day = pathlib.Path(sys.argv[1]), int(sys.argv[2])
chance = random.Random(20260504)
HOUR = 3_600_000
BEGIN = 1_777_852_800_000  # 2026-05-04T00:00:00Z
HOURS = [day * 24 + hour for day in range(3) for hour in (9, 10, 15, 16)]
WORDS = "the delivery of a drill takes three days and the warranty of its battery ends after twelve months unless the shop extends it".split()

CONTEXTS = [
    "The parcel was sent on Monday. It will be delivered on Tuesday between 9 am and 12 am. It is in the warehouse.",
    "The X200 drill has a warranty of 24 months from the date of purchase. Its batteries are covered for 12 months.",
    "The branch in Berlin opens at 9 am on weekdays and at 10 am on Saturdays. It is closed on Sundays.",
]
PROMPTS = ["Where is the parcel that was sent on Monday?", "How long is the warranty of the X200 drill and of its batteries?", "When does the Berlin branch open?"]
ANSWERS = [
    ["The parcel was sent on Monday and will be delivered on Tuesday.", "It is in the warehouse. It will be delivered on Friday.", "A courier lost it in Hamburg."],
    ["The X200 drill has a warranty of 24 months, its batteries 12 months.", "The warranty is 36 months.", "Both are covered for ever, and repairs are free."],
    ["It opens at 9 am on weekdays and at 10 am on Saturdays.", "It opens at 8 am.", "The branch moved to Potsdam."],
]
OTHERS = ["I'm sorry, but I can't help with that.", "Hello!", "Das Paket liegt seit Montag im Lager und wird am Dienstag zugestellt, sagt der Fahrer."]
SAFETY = ["hate", "self_harm", "sexual", "violence", "jailbreak", "protected_material"]
CLASSES = ["refund", "delivery", "other", "complaint"]


def maybe(share, value):
    return value if chance.random() < share else None


def answer_of(topic):
    draw = chance.random()
    if draw < 0.06:
        return chance.choice(OTHERS)
    if draw < 0.10:
        return " ".join(chance.choice(WORDS) for _ in range(chance.choice([60, 200, 700]))) + "."
    return chance.choices(ANSWERS[topic], [6, 2, 1])[0]


def findings():
    found = []
    for category in chance.sample(SAFETY, chance.randint(1, 4)):
        finding = {"category": category, "severity": chance.choice(["safe", "safe", "low", "medium", "high", 0, 2, 4, 6]), "stage": chance.choice(["prompt", "response", None])}
        if chance.random() < 0.4:
            finding["filtered"] = chance.random() < 0.2
        if chance.random() < 0.2:
            finding["detected"] = chance.random() < 0.2
        found.append(finding)
    return found


def request(number, at, late_shift):
    tenant, app = ("acme", "support") if number % 2 else ("globex", "triage")
    moved = late_shift and tenant == "acme"
    topic = chance.randrange(3)
    model = chance.choices(["small", "large", "nameless"], [2, 7, 1] if moved else [7, 2, 1])[0]
    http, error, finish = chance.choices(
        [(200, None, "stop"), (503, "overloaded", None), (429, None, None), (504, None, None), (422, None, None), (400, None, "content_filter"), (499, None, None)],
        [80, 5 if not moved else 15, 3, 3, 3, 3, 3],
    )[0]
    ok = http == 200
    given, made = chance.randrange(20, 4000), chance.randrange(1, 400)
    cached = chance.randrange(given)
    first = chance.uniform(50, 900)
    label = chance.choices(CLASSES, [5, 3, 2, 1])[0]
    said = label if chance.random() < 0.8 else chance.choice(CLASSES)
    sure = chance.uniform(0.4, 1.0)
    event = {
        "event_time": at, "request_id": f"r-{number}", "tenant": tenant, "app": app, "request_model": model, "response_model": model if ok else None,
        "prompt_version": chance.choice(["v1", "v2"]), "http_status": http, "error_type": error, "finish_reason": finish,
        "latency_ms": maybe(0.97, round(first + chance.lognormvariate(6, 1), 3)), "time_to_first_token_ms": maybe(0.6, round(first, 3)),
        "usage": {
            "input_tokens": maybe(0.95, given), "output_tokens": maybe(0.95, made), "cached_input_tokens": maybe(0.5, cached),
            "cache_write_tokens": maybe(0.3, (given - cached) // 2), "reasoning_tokens": maybe(0.3, made // 2), "source": maybe(0.15, "estimated"),
        },
        "service_tier": maybe(0.05, "priority"), "cost_usd": maybe(0.05, round(chance.uniform(0, 0.1), 6)),
        "quota": maybe(0.8, {"limit_tokens": 100_000, "remaining_tokens": chance.randrange(2_000, 100_000), "limit_requests": 600, "remaining_requests": chance.randrange(50, 600)}),
        "safety": maybe(0.3, findings()), "index": maybe(0.5, f"manuals@{chance.choice([hour for hour in HOURS if hour < (at - BEGIN) // HOUR] + ['unheard-of'])}"),
    }
    if ok:
        event |= {
            "prompt": PROMPTS[topic] + (" Please answer me in full, since I have to know it today." if moved else ""), "response": answer_of(topic),
            "contexts": maybe(0.93, [{"id": "a", "text": CONTEXTS[topic], "rank": 1}, {"id": "b", "text": CONTEXTS[(topic + chance.choice([0, 1, 1])) % 3], "rank": 2}]),
            "reference": maybe(0.5, ANSWERS[topic][0]), "embedding": maybe(0.9, [1.0 - 0.8 * moved, 0.5, round(chance.random() / 2, 4), 0.1]),
            "prediction": said, "label": maybe(0.6, label),
            "probability": maybe(0.9, {said: round(sure, 4), **{name: round((1 - sure) / 3, 4) for name in CLASSES if name != said}}),
        }
    return {key: value for key, value in event.items() if value is not None}


requests, feedback, pipelines = [], [], []
number = 0
for hour in HOURS:
    for _ in range(540):
        at = BEGIN + hour * HOUR + chance.randrange(HOUR)
        event = request(number, at, hour >= 58)
        requests.append((at + (2 * HOUR if number % 20 == 7 else chance.randrange(10_000)), event))
        if chance.random() < 0.6:
            name, score = chance.choice([("thumbs", chance.random() < 0.7), ("rating", chance.randrange(1, 6)), ("resolved", chance.randrange(2)), ("helpfulness", chance.randrange(100)), ("thumbs", None)])
            target = event["request_id"] if chance.random() < 0.95 else "nobody-asked"
            source = chance.choice(["human", "human", None, "llm_judge"])
            for again in range(chance.choice([1, 1, 1, 2])):
                given = at + chance.randrange(1_000, 3 * HOUR) + again * 60_000
                feedback.append((given + chance.randrange(5_000), {"event_time": given, "feedback_id": f"f-{number}", "target": {"request_id": target}, "name": name,
                                 "score": score if again == 0 or score is None else chance.choice([0, 1]), "tenant": event["tenant"], "app": event["app"], "source": source}))
        number += 1
# An answer that is too long to be scored.
requests.append((BEGIN + 9 * HOUR + 5, request(number, BEGIN + 9 * HOUR, False) | {"http_status": 200, "response": "word " * 60_000, "contexts": [{"id": "a", "text": CONTEXTS[0]}]}))

for job, kind in (("build-index", "index"), ("read-documents", "ingest")):
    for hour in HOURS:
        for number in range(6):
            begun = BEGIN + hour * HOUR + number * 9 * 60_000
            ended = begun + chance.randrange(5_000, 500_000)
            run = {"run_id": f"{job}-{hour}-{number}", "job": job, "kind": kind, "tenant": "acme", "app": "support"}
            end = run | {"event_time": ended, "state": chance.choices(["COMPLETE", "FAIL", "ABORT"], [4, 1, 1])[0], "started_at": maybe(0.8, begun), "ended_at": maybe(0.8, ended),
                         "rows_out": maybe(0.8, chance.randrange(5_000)), "rows_failed": maybe(0.7, chance.choice([0, 0, 0, 7]))}
            if kind == "index":
                end["outputs"] = [{"name": "manuals", "version": hour}]
            pipelines.append((begun, run | {"event_time": begun, "state": "START"}))
            pipelines.append((ended, {key: value for key, value in end.items() if value is not None}))

end = BEGIN + 96 * HOUR
topics = {"gateway-logs": requests, "user-feedback": feedback, "pipeline-events": pipelines}
last = {
    "gateway-logs": lambda partition: {"event_time": end, "request_id": f"last-{partition}", "tenant": "closing", "http_status": 200},
    "user-feedback": lambda partition: {"event_time": end, "feedback_id": f"last-{partition}", "target": {"request_id": "last-0"}, "name": "thumbs", "tenant": "closing"},
    "pipeline-events": lambda partition: {"event_time": end, "run_id": "last", "job": "last", "state": "START", "tenant": "closing"},
}
for topic, events in topics.items():
    partitions = 1 if topic == "pipeline-events" else 2
    for partition in range(partitions):
        # What is said again stands where it was said first.
        mine = [(at, event) for at, event in events if sum(map(ord, event.get("request_id") or event.get("feedback_id") or "")) % partitions == partition]
        mine = [event for at, event in sorted(mine, key=lambda each: each[0]) if (at - BEGIN) // (24 * HOUR) == day]
        path = folder / topic
        path.mkdir(parents=True, exist_ok=True)
        with open(path / f"{partition}.jsonl", "a") as file:
            for number, event in enumerate(mine if day < 3 else [last[topic](partition)]):
                file.write(json.dumps(event) + "\n")
                if number % 50 == 3:
                    # Said twice, cut off, and broken in other ways.
                    whole = json.dumps(event)
                    broken = [whole[:40], json.dumps({"event_time": event["event_time"]}), whole[:-1] + ', "event_time": 1}', json.dumps(event | {"event_time": "noon"}),
                              json.dumps(event | {"schema": "somebody.else.v1"}), whole[:-1] + ', "deep": ' + "[" * 500 + "]" * 500 + "}"]
                    file.write(whole + "\n" + "".join(line + "\n" for line in broken))
