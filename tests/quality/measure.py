"""Writes the measured tables into docs/quality.md: `measure.py FOLDER`, the folder of the built programs."""
import sys
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

import fit
import sets
import speed

PAGE = Path("docs/quality.md")
BLOCK = "<!-- {0}: begin -->", "<!-- {0}: end -->"
ROUNDS = 200


def area(label, value):
    """AUROC, by ranks."""
    positive = label.sum()
    ranks = rankdata(value)[label == 1].sum()
    return (ranks - positive * (positive + 1) / 2) / (positive * (len(label) - positive))


def f1(label, value):
    found = value > 0.5
    return 2 * (found & (label == 1)).sum() / (found.sum() + label.sum())


def balanced_accuracy(label, value):
    found = value > 0.5
    return (found[label == 1].mean() + (~found[label == 0]).mean()) / 2


def interval(measure, label, value):
    """The measure with its 95 % bootstrap interval."""
    draw = np.random.default_rng(1)
    values = []
    for _ in range(ROUNDS):
        at = draw.integers(0, len(label), len(label))
        if len(set(label[at])) == 2:
            values.append(measure(label[at], value[at]))
    low, high = np.quantile(values, [0.025, 0.975])
    return f"{measure(label, value):.3f} [{low:.3f}, {high:.3f}]"


def line(name, rows):
    """One table row of a group of grounded answers; none where a class has fewer than ten."""
    scored = [row for row in rows if row[3]["groundedness"] is not None]
    label = np.array([row[0] for row in scored])
    if min(label.sum(), (1 - label).sum()) < 10:
        return None
    value = 1 - np.array([row[3]["groundedness"] for row in scored])
    cells = [interval(measure, label, value) for measure in (area, f1, balanced_accuracy)]
    return f"| {name} | {len(scored)} of {len(rows)} | {label.mean():.0%} | " + " | ".join(cells)


def verdicts(name, rows):
    """How often a verdict is given, and what the answers that hold it are labelled."""
    given = [verdict for row in rows for verdict in row[3]["verdicts"]]
    shares = ", ".join(f"{given.count(verdict) / len(given):.0%}" for verdict in ("supported", "not_stated", "contradicted"))
    cells = [f"{np.mean([row[0] for row in rows]):.0%}"]
    for verdict in ("not_stated", "contradicted"):
        label = [row[0] for row in rows if verdict in row[3]["verdicts"]]
        cells.append(f"{np.mean(label):.0%} of {len(label)}" if label else "none")
    return f"| {name} | {shares} | " + " | ".join(cells) + " |"


def bands(rows):
    lengths = sorted(row[2] for row in rows)
    edges = [0, lengths[len(lengths) // 3], lengths[2 * len(lengths) // 3], lengths[-1] + 1]
    for low, high in zip(edges, edges[1:]):
        yield f"{low}–{high - 1} characters", [row for row in rows if low <= row[2] < high]


def tables(program):
    grounded = sets.grounded(program)
    without = fit.left_out(grounded)
    out = ["### Groundedness, per set", "",
           "| set | scored | unsupported | AUROC | F1 at 0.5 | balanced accuracy at 0.5 | fitted without this set: AUROC, balanced accuracy |",
           "|---|---|---|---|---|---|---|"]
    for name, rows in grounded.items():
        left_out, accuracy = without[name]
        out.append(f"{line(name, rows)} | {left_out:.3f}, {accuracy:.3f} |")
    for title, split in (("generator or domain", lambda rows: sorted({row[1] for row in rows})), ("length of the answer", None)):
        out += ["", f"### Groundedness, per {title}", "", "| group | scored | unsupported | AUROC | F1 at 0.5 | balanced accuracy at 0.5 |",
                "|---|---|---|---|---|---|"]
        for name, rows in grounded.items():
            if name == "halueval_qa":
                continue
            groups = bands(rows) if split is None else ((key, [row for row in rows if row[1] == key]) for key in split(rows))
            for group, part in groups:
                made = line(f"{name}: {group}", part)
                if made:
                    out.append(made + " |")
    out += ["", "### Verdicts on sentences", "",
            "| set | sentences: supported, not stated, contradicted | unsupported, of all answers | of those with a sentence not stated | "
            "of those with a contradicted one |", "|---|---|---|---|---|"]
    for name, rows in grounded.items():
        out.append(verdicts(name, [row for row in rows if row[3]["state"] == "scored"]))
    out += ["", "### Relevance and utilization", "", "| task | pairs | AUROC | balanced accuracy at 0.5 |", "|---|---|---|---|"]
    for name, pairs in sets.relevance(program).items():
        label, value = (np.array(column) for column in zip(*pairs))
        out.append(f"| {name} | {len(pairs)} | {interval(area, label, value)} | {interval(balanced_accuracy, label, value)} |")
    return "\n".join(out)


def write(page, block, text):
    begin, end = (mark.format(block) for mark in BLOCK)
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def aligned(text):
    """Markdown tables with their columns under one another, for a terminal."""
    out, table = [], []
    for row in [*text.splitlines(), ""]:
        if row.startswith("|"):
            table.append([cell.strip() for cell in row.strip("|").split("|")])
            continue
        widths = [max(map(len, column)) for column in zip(*(cells for cells in table if "---" not in cells))]
        for cells in table:
            out.append("  ".join("-" * width if cell == "---" else cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
        table = []
        out.append(row)
    return "\n".join(out)


def main():
    folder = sys.argv[1]
    measured, costs = tables(f"{folder}/evidence"), speed.table(folder)
    page = write(PAGE.read_text(encoding="utf-8"), "measured", measured)
    PAGE.write_text(write(page, "speed", costs), encoding="utf-8")
    sections = measured.split("### ")
    print("".join(aligned(section) for section in sections if section.startswith(("Groundedness, per set", "Relevance"))))
    print(f"Speed\n\n{aligned(costs)}")
    print(f"quality: wrote these and the tables per generator, domain, length and verdict to {PAGE}")


if __name__ == "__main__":
    main()
