"""rounds.py BENCH: loads the input once, runs the systems in interleaved rounds, checks their rows, prints medians and ratios.

Keeps broker data and truth tables under target/bench, so that a second call starts measuring at once. CPU is user + system of
the whole process tree without the broker's, memory the peak of the tree's summed resident sizes (BENCH/measure.py).
"""

import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/bench"
WORK = ROOT / "target/bench"
BENCH = Path(sys.argv[1])
PYTHON = sys.executable
ROUNDS = int(os.environ.get("ROUNDS", "3"))
KINDS = os.environ.get("KINDS", "ops full").split()
SYSTEMS = os.environ.get("SYSTEMS", "drain hand groundwire").split()
EVENTS = {"ops": int(os.environ.get("OPS_EVENTS", "2000000")), "full": int(os.environ.get("FULL_EVENTS", "300000"))}
RELEASE = ROOT / "target/release"


def free_port():
    for _ in range(1000):
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit("bench: no free port")


def start_broker():
    """Starts the broker on new ports over the kept data; hands back its process and address."""
    folder = WORK / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    ports = folder / "ports"
    if ports.exists():
        port, controller = map(int, ports.read_text().split())
    else:
        port, controller = free_port(), free_port()
        ports.write_text(f"{port} {controller}")
    (folder / "server.properties").write_text(
        f"""process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
    )
    log = open(folder / "broker.log", "a")
    environment = {**os.environ, "KAFKA_HEAP_MB": "1024", "KAFKA_JIT_LEVEL": "4"}
    broker = subprocess.Popen(
        [str(ROOT / "tests/kafka/broker"), "run", str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
    )
    address = f"127.0.0.1:{port}"
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if broker.poll() is not None:
            sys.exit(f"bench: the broker ended, see {folder}/broker.log")
        try:
            admin.list_topics(timeout=1)
            return broker, address
        except Exception:
            continue
    sys.exit(f"bench: the broker does not answer, see {folder}/broker.log")


def count(topic, address):
    """Records of a topic; waits for a broker that has just started to lead its partitions."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "groundwire-bench-count", "log_level": 0})
    deadline = time.monotonic() + 120
    while True:
        try:
            bounds = [consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10) for partition in range(4)]
            consumer.close()
            return sum(high - low for low, high in bounds)
        except KafkaException:
            if time.monotonic() > deadline:
                raise


def remove(topic, address):
    """Removes what an interrupted or incomplete load left."""
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
    if topic in admin.list_topics(timeout=30).topics:
        admin.delete_topics([topic])[topic].result()
    while topic in admin.list_topics(timeout=30).topics:
        time.sleep(0.2)


def load(kind, topic, environment):
    """Writes the input to the topic, once."""
    done = WORK / "truth" / f"{topic}.{EVENTS[kind]}.loaded"
    if not done.exists():
        remove(topic, environment["BROKER"])
        print(f"bench: loading {EVENTS[kind]:,} events into {topic}", flush=True)
        subprocess.run([PYTHON, str(BENCH / "gen.py"), kind, str(EVENTS[kind]), topic], check=True, env=environment, stdout=subprocess.DEVNULL)
        done.touch()
    # The generator does not look at what became of its records: a stalled machine makes it lose some.
    written = count(topic, environment["BROKER"])
    if written != EVENTS[kind] + 4:
        done.unlink()
        sys.exit(f"bench: {topic} has {written:,} records instead of {EVENTS[kind] + 4:,}; start again, and it is loaded anew")


def command(system, topic, address, out):
    if system == "drain":
        return [str(RELEASE / "examples/drain"), address, topic]
    if system == "hand":
        return [PYTHON, str(BENCH / "hand.py"), topic, str(out)]
    # A group of its own: a run that was stopped may still be a member of an older one, and hold half of the partitions.
    template = (HERE / "groundwire.toml").read_text()
    config = out.with_suffix(".toml")
    config.write_text(template.replace("@BROKER@", address).replace("@TOPIC@", topic).replace("@LAKE@", str(out)).replace("@GROUP@", f"groundwire-bench-{time.time_ns()}"))
    return [str(RELEASE / "groundwire"), "run", "--config", str(config), "--until-drained"]


def check(system, topic, out, environment):
    if system == "drain":
        return True
    script = BENCH / "check.py" if system == "hand" else HERE / "check.py"
    answer = subprocess.run([PYTHON, str(script), topic, str(out)], env=environment, capture_output=True, text=True)
    print("  " + (answer.stdout + answer.stderr).strip().replace("\n", "\n  "), flush=True)
    return answer.returncode == 0


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    results = WORK / "results.jsonl"
    results.unlink(missing_ok=True)
    broker, address = start_broker()
    environment = {**os.environ, "GROUNDWIRE_PRIVACY_KEY": "5a" * 32, "BROKER": address, "TRUTH": str(WORK / "truth"), "DATA": str(BENCH.parent / "data"), "RES": str(results)}
    sound = True
    try:
        for kind in KINDS:
            load(kind, f"bench.{kind}.{EVENTS[kind]}", environment)
        for turn in range(ROUNDS):
            for kind in KINDS:
                topic = f"bench.{kind}.{EVENTS[kind]}"
                for system in SYSTEMS:
                    out = WORK / "out" / f"{system}-{kind}"
                    shutil.rmtree(out, ignore_errors=True)
                    out.parent.mkdir(parents=True, exist_ok=True)
                    measured = [PYTHON, str(BENCH / "measure.py"), f"{kind} {system}", str(EVENTS[kind]), "1", "--"]
                    subprocess.run(measured + command(system, topic, address, out), check=True, env=environment, stdout=subprocess.DEVNULL)
                    last = json.loads(results.read_text().splitlines()[-1])
                    print(
                        f"round {turn + 1} {kind:4} {system:10} {last['ev_s']:>9,} events/s {last['cpu_per_m']:6.2f} CPU s per million"
                        f" {last['rss_mb']:5} MB  exit {last['rc']}",
                        flush=True,
                    )
                    sound &= last["rc"] == 0
                    if turn == ROUNDS - 1:
                        sound &= check(system, topic, out, environment)
    finally:
        broker.send_signal(signal.SIGTERM)
        broker.wait()
    report(results)
    sys.exit(0 if sound else 1)


def report(results):
    runs = [json.loads(line) for line in results.read_text().splitlines()]
    print("\n| input | system | events/s | CPU s per million | of the drain | of the script | peak MB |\n|---|---|---|---|---|---|---|")
    for kind in KINDS:
        of = {system: [run for run in runs if run["label"] == f"{kind} {system}" and run["rc"] == 0] for system in SYSTEMS}
        middle = lambda system, field: statistics.median(run[field] for run in of[system]) if of.get(system) else None
        for system in SYSTEMS:
            if not of[system]:
                print(f"| {kind} | {system} | failed | | | | |")
                continue
            ratio = lambda other: f"{middle(system, 'cpu') / middle(other, 'cpu'):.2f}" if of.get(other) else ""
            peak = max(run["rss_mb"] for run in of[system])
            print(
                f"| {kind} | {system} | {middle(system, 'ev_s'):,.0f} | {middle(system, 'cpu_per_m'):.2f} | {ratio('drain')} | {ratio('hand')} | {peak} |"
            )


main()
