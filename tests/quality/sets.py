"""The labelled sets, and the scorer's answers to them."""
import collections
import gzip
import json
import os
import random
import re
import subprocess
from pathlib import Path

DATA = Path(os.environ.get("GROUNDWIRE_DATA", "../shared/data"))
# Sets with a human (or human-checked) label of whether an answer is supported by its contexts.
GROUNDED = ["begin", "mtrag_human", "wice", "summedits", "halueval_qa"]
STOP = set("the a an of to in is are was were what how do does did i my for on and or with can you who when where which why "
           "be it that this".split())


def rows(name, part="train"):
    with gzip.open(DATA / name / f"{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def run(program, items):
    """The program's line for each (question, contexts, response)."""
    keys = ("question", "contexts", "response")
    text = "".join(json.dumps({"id": str(i), **dict(zip(keys, item))}) + "\n" for i, item in enumerate(items))
    done = subprocess.run([program], input=text, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def grounded(program):
    """Per set: list of (label, generator, length of the response in characters, scorer's line)."""
    documents = {row["doc"]: row["text"] for row in rows("summedits", "train_docs")}
    sets = collections.OrderedDict()
    for name in GROUNDED:
        # BEGIN's third class, generic replies, is neither supported nor not.
        kept = [row for row in rows(name) if row.get("label3") != "Generic"]
        items = [(row.get("question") or None, [documents[row["doc"]]] if name == "summedits" else row["context"], row["response"])
                 for row in kept]
        label = (lambda row: int(row["faithfulness"] <= 3)) if name == "mtrag_human" else (lambda row: row["label"])
        sets[name] = [(label(row), row.get("model") or row.get("task") or "", len(row["response"]), line)
                      for row, line in zip(kept, run(program, items))]
    # Right answers of HaluEval are 1-3 words, wrong ones sentences; only a band of equal length says anything.
    sets["halueval_qa"] = [row for row in sets["halueval_qa"] if 5 < row[3]["length"] < 14]
    return sets


def nearest_other(questions):
    """For each question the other one that shares most with it."""
    words = [set(re.findall(r"[a-z0-9]+", text.lower())) - STOP for text in questions]
    frequency = collections.Counter(word for known in words for word in known)
    best = []
    for at, own in enumerate(words):
        others = (other for other in range(len(words)) if questions[other] != questions[at])
        best.append(max(others, key=lambda other: sum(1 / frequency[word] for word in own & words[other]) / (len(words[other]) + 1) ** 0.5))
    return best


def relevance(program):
    """Per task: list of (label, score)."""
    shuffle = random.Random(7)
    tasks = collections.OrderedDict()
    clap = rows("clapnq_dev")

    def ask(name, field, triples):
        lines = run(program, [item for _, item in triples])
        tasks[name] = [(label, line[field] or 0.0) for (label, _), line in zip(triples, lines)]

    def answers(name, kept, contexts):
        other = nearest_other([question for question, _ in kept])
        triples = []
        for at, (question, answer) in enumerate(kept):
            triples += [(1, (question, contexts[at], answer)), (0, (question, contexts[at], kept[other[at]][1]))]
        ask(name, "answer_relevance", triples)

    good = [row for row in clap if row["relevant"] and row["answers"]]
    answers("answer: own or nearest other question's, with its passage (CLAPnq)",
            [(row["question"], row["answers"][0]) for row in good], [[row["context"]] for row in good])
    answers("answer: the same without passage", [(row["question"], row["answers"][0]) for row in good], [[] for _ in good])
    long = [row for row in rows("halueval_qa") if len(row["response"].split()) > 5][:600]
    answers("answer: sentences, with passages (HaluEval)", [(row["question"], row["response"]) for row in long],
            [row["context"] for row in long])
    short = [row for row in rows("halueval_qa") if row["label"] == 0 and len(row["response"].split()) < 4][:500]
    answers("answer: one to three words, with passages (HaluEval)", [(row["question"], row["response"]) for row in short],
            [row["context"] for row in short])
    once = {row["question_text"]: row["ans1_text"] for row in rows("haluquestqa")}
    answers("answer: long, no passage (HaluQuestQA)", list(once.items()), [[] for _ in once])
    ask("context: answers or near miss (CLAPnq, human)", "context_relevance",
        [(row["relevant"], (row["question"], [row["context"]], "x")) for row in clap])
    ask("context: answers or random (CLAPnq)", "context_relevance",
        [pair for row in clap if row["relevant"] for pair in
         [(1, (row["question"], [row["context"]], "x")), (0, (row["question"], [shuffle.choice(clap)["context"]], "x"))]])
    chosen, used = [], []
    for row in good:
        if not row["selected"] or not row["sentences"]:
            continue
        chosen.append([int(text.strip() in {part.strip() for part in row["selected"][0]}) for text in row["sentences"]])
        used.append((row["question"], row["sentences"], row["answers"][0]))
    pairs = []
    for labels, line in zip(chosen, run(program, used)):
        pairs += [(label, value or 0.0) for label, value in zip(labels, line["utilizations"])]
    tasks["utilization: sentence the answer used (CLAPnq, human)"] = pairs
    ask("context: sentence selected (CLAPnq, human)", "context_relevance",
        [(label, (question, [text], "x")) for labels, (question, sentences, _) in zip(chosen, used)
         for label, text in zip(labels, sentences) if len(text.split()) > 2])
    return tasks
