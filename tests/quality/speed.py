"""What scoring costs: `table(folder)` measures the programs in that folder over answers cut to length."""
import json
import re
import shutil
import subprocess
import tempfile

import sets

# Bytes of context (in three pieces) and of the answer.
LENGTHS = [(1_300, 160), (1_300, 650), (4_000, 650), (4_000, 2_000), (12_000, 650)]
ANSWERS, ROUNDS = 40, 200
# Whether the passages were read before, as bytes of memory for such.
PASSAGES = [("new", "0"), ("read before", "33554432")]


def cut(context_bytes, answer_bytes):
    """Answers of mtrag_human with contexts, joined and cut; short ones are repeated with other answers' text."""
    rows = [row for row in sets.rows("mtrag_human") if row["context"]]
    contexts = [" ".join(row["context"]) for row in rows]
    answers = [row["response"] for row in rows]
    made = []
    for at in range(ANSWERS):
        context, answer = "".join(contexts[at:] + contexts[:at]), " ".join(answers[at:] + answers[:at])
        piece = context_bytes // 3
        made.append({"id": str(at), "question": rows[at]["question"], "response": answer[:answer_bytes],
                     "contexts": [context[start:start + piece] for start in range(0, 3 * piece, piece)]})
    return "".join(json.dumps(row) + "\n" for row in made)


def number(command, text):
    return float(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout)


def instructions(folder, kept, text):
    """Per answer, by callgrind: the difference between two rounds and one, after one that fills what is kept."""
    if not shutil.which("valgrind"):
        return None
    counts = []
    for rounds in ("2", "3"):
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={scratch}/out", f"{folder}/speed", rounds, kept],
                                  input=text, capture_output=True, text=True, check=True)
        counts.append(int(re.search(r"Collected : (\d+)", done.stderr)[1]))
    return (counts[1] - counts[0]) / ANSWERS


def table(folder):
    out = ["| contexts | answer | passages | µs per answer | answers/s on one core | instructions per answer | heap blocks per answer |",
           "|---|---|---|---|---|---|---|"]
    for lengths in LENGTHS:
        text = cut(*lengths)
        for name, kept in PASSAGES:
            nanoseconds = number([f"{folder}/speed", str(ROUNDS), kept], text)
            blocks = number([f"{folder}/allocations", kept], text)
            if blocks:
                raise SystemExit(f"quality: {blocks} heap blocks per answer of {lengths}, passages {name}; the scorer promises none once its buffers have grown")
            executed = instructions(folder, kept, text)
            out.append(f"| {lengths[0]:,} B | {lengths[1]:,} B | {name} | {nanoseconds / 1000:.0f} | {1e9 / nanoseconds:,.0f} | "
                       f"{f'{executed:,.0f}' if executed else 'not measured'} | {blocks:.0f} |")
    return "\n".join(out)
