#!/usr/bin/env python3
"""million.py: a lake with a million answers, and `groundwire verify` over all of it. `make million` calls it.

Plays the demo once, repeats its topics, each time seven hours later and with other ids, until there are a million gateway
logs, has the service read them from files, and verifies the lake. The traffic is the demo's: several tenants and models, feedback that
comes late, pipeline runs, incidents, records that are repeated or broken. Ends with 1 where the verification finds a difference.

Prints wall and CPU seconds and peak memory of each step. ANSWERS changes how many gateway logs there are at least.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target/bench/million"
PROGRAM = ROOT / "target/release/groundwire"
ANSWERS = int(os.environ.get("ANSWERS", "1000000"))
EVERY = timedelta(hours=7)

TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ID = re.compile(rb'"(request_id|feedback_id|run_id)":"([^"]*)"')
TRACE = re.compile(rb'"trace_id":"[0-9a-f]{4}')

CONFIGURATION = """# The demo's topics many times over, read from files by event time.
[source]
kind = "files"

[source.files]
directory = "topics"
follow = false

[source.topics.gateway-logs]
input = "gateway"
text = "full"

[source.topics.user-feedback]
input = "feedback"
text = "full"

[source.topics.pipeline-events]
input = "pipeline"

[lake]
url = "lake"

[time]
clock = "events"

[mail]
directory = "mail"

[http]
listen = "127.0.0.1:0"
"""


def later(line, copy):
    """The same record, `copy` times seven hours later."""

    def shifted(found):
        text = found.group().decode()
        moved = datetime.fromisoformat(text) + EVERY * copy
        form = "%Y-%m-%dT%H:%M:%S" + (".%f" if "." in text else "")
        return moved.astimezone(timezone.utc).strftime(form).encode() + b"Z"

    line = TIME.sub(shifted, line)
    line = ID.sub(lambda found: b'"%s":"%s-%d"' % (found.group(1), found.group(2), copy), line)
    return TRACE.sub(b'"trace_id":"%04x' % copy, line)


def run(step, arguments, **more):
    """Runs a command to its end and says what it took."""
    began = time.monotonic()
    _, status, used = os.wait4(subprocess.Popen(arguments, **more).pid, 0)
    code = os.waitstatus_to_exitcode(status)
    took = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} CPU s, peak {used.ru_maxrss / 1024:.0f} MB"
    print(f"million: {step}: {took}, exit {code}", flush=True)
    return code


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    environment = {**os.environ, "GROUNDWIRE_PRIVACY_KEY": "0123456789abcdef" * 4}
    if run("demo", [PROGRAM, "demo", "--exit", "--dir", WORK / "demo"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        sys.exit("million: the demo failed")
    records = {}
    for file in sorted((WORK / "demo/topics").glob("*/*.jsonl")):
        records[file.relative_to(WORK / "demo")] = file.read_bytes().splitlines(keepends=True)
    answers = sum(len(lines) for name, lines in records.items() if name.parts[1] == "gateway-logs")
    # Some records are repeats and some are broken, on purpose.
    copies = ANSWERS // answers + 1
    print(f"million: {copies} times {answers:,} gateway logs", flush=True)
    for name, lines in records.items():
        (WORK / name).parent.mkdir(parents=True, exist_ok=True)
        with open(WORK / name, "wb") as out:
            for copy in range(copies):
                out.writelines(later(line, copy) for line in lines)
    (WORK / "groundwire.toml").write_text(CONFIGURATION)
    with open(WORK / "service.log", "wb") as log:
        arguments = [PROGRAM, "run", "--until-drained", "--config", "groundwire.toml"]
        if run("service", arguments, cwd=WORK, env=environment, stdout=log, stderr=log):
            sys.exit(f"million: the service failed, see {WORK}/service.log")
    code = run("verify", [PROGRAM, "verify", "--config", "groundwire.toml"], cwd=WORK, env=environment)
    shutil.rmtree(WORK / "topics")
    sys.exit(code)


if __name__ == "__main__":
    main()
