"""seeds.py SEEDS FOLDER…: looks for parts of seeded secrets in everything under the folders.

SEEDS is a JSON object from where a secret was planted to its random part. Every file is searched as it is, and so is whatever
its zstd frames hold: pages and dictionaries of Parquet files, snapshots, partial aggregates. Ten consecutive characters of a
random part are a find. Prints {"found": [[planted, file]…], "files": …, "frames": …, "bytes": …}.
"""

import json
import os
import re
import sys

import pyarrow as pa

PART = 10
MAGIC = b"\x28\xb5\x2f\xfd"

seeds = json.load(open(sys.argv[1]))
parts = {}
for planted, secret in seeds.items():
    secret = secret.encode()
    for at in range(len(secret) - PART + 1):
        parts[secret[at : at + PART]] = planted
counts = {"files": 0, "frames": 0, "bytes": 0}
found = set()


def search(data, name):
    counts["bytes"] += len(data)
    for run in re.finditer(rb"[0-9A-Za-z]{%d,}" % PART, data):
        run = run.group()
        for at in range(len(run) - PART + 1):
            planted = parts.get(run[at : at + PART])
            if planted is not None:
                found.add((planted, name))


def frame_end(data, at):
    """End of the zstd frame that begins at a magic number, by its header and the headers of its blocks (RFC 8878)."""
    descriptor = data[at + 4]
    single, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
    at += 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + ((1 if single else 0), 2, 4, 8)[descriptor >> 6]
    last = False
    while not last:
        header = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == 3 or at + 3 > len(data):
            raise ValueError("a magic number by chance")
        at += 3 + (1 if kind == 1 else size)
    return at + 4 * checksum


def frames(data):
    """What the zstd frames within some bytes hold."""
    at = data.find(MAGIC)
    while at >= 0:
        try:
            end = frame_end(data, at)
            content = pa.CompressedInputStream(pa.BufferReader(data[at:end]), "zstd").read()
        except (ValueError, IndexError, OSError):
            end = at + 4
        else:
            counts["frames"] += 1
            yield content
        at = data.find(MAGIC, end)


for folder in sys.argv[2:]:
    for path, _, files in os.walk(folder):
        for file in files:
            name = os.path.join(path, file)
            data = open(name, "rb").read()
            counts["files"] += 1
            search(data, name)
            for content in frames(data):
                search(content, name)
print(json.dumps({"found": sorted(found), **counts}))
