"""Makes src/score/lexicon/{words,synonyms,antonyms}.txt: `make_lexicon.py WORDNET`, the folder of WordNet 3.0's `data.*` files.

words.txt     word, frequency class (twice the bits of information, from counts over pieces of 100 words of the labelled
              sets' texts), and the base form of an irregular word
synonyms.txt  sets of words that share a sense which makes up a tenth or more of the uses of each
antonyms.txt  pairs that WordNet calls antonyms
opposites.txt is written by hand and not touched.
"""
import collections
import math
import re
import sys
from pathlib import Path

import sets

OUT = Path("src/score/lexicon")
PARTS = ("noun", "verb", "adj", "adv")
NUMBERS = {"n": 1, "v": 2, "a": 3, "s": 5, "r": 4}
PIECE, LEAST, LEAST_IRREGULAR = 100, 10, 5


def texts():
    seen = {}
    for name in ("begin", "halueval_qa", "mtrag_human", "wice"):
        for row in sets.rows(name):
            for text in [" ".join(row["context"])] if name == "wice" else row["context"]:
                seen[text] = None
    seen.update((row["context"], None) for row in sets.rows("clapnq_dev"))
    seen.update((row["text"], None) for row in sets.rows("summedits", "train_docs"))
    seen.update((row["response"], None) for row in sets.rows("halueval_general"))
    for row in sets.rows("haluquestqa"):
        seen.update({row["ans1_text"]: None, row["ans2_text"]: None})
    return [text for text in seen if text]


def frequencies():
    counts, pieces = collections.Counter(), 0
    for text in texts():
        words = [word.lower().replace("’", "'") for word in re.findall(r"[A-Za-z]+(?:['’][A-Za-z]+)?", text)]
        for start in range(0, len(words), PIECE):
            piece = words[start:start + PIECE]
            if len(piece) < 20 and start:
                continue
            pieces += 1
            counts.update(set(piece))
    return counts, pieces


class WordNet:
    """Synsets by (part, offset): words, lexical ids, pointers, type, lexicographer file."""

    def __init__(self, folder):
        self.uses = collections.Counter()
        for line in open(folder / "cntlist.rev"):
            key, _, count = line.split()
            self.uses[key] = int(count)
        self.synsets = {}
        for part in PARTS:
            for line in open(folder / f"data.{part}"):
                if line.startswith(" ") or re.search(r"slur|offensive|disparag|vulgar|obscene|derogatory|insult|feces|prostitut", line):
                    continue
                fields = line.split("|")[0].split()
                count = int(fields[3], 16)
                words = [re.sub(r"\(.*\)", "", fields[4 + 2 * i]) for i in range(count)]
                ids = [fields[5 + 2 * i] for i in range(count)]
                at = 4 + 2 * count
                pointers = [(fields[at + 1 + 4 * i], (fields[at + 3 + 4 * i].replace("s", "a"), fields[at + 2 + 4 * i]),
                             int(fields[at + 4 + 4 * i][:2], 16), int(fields[at + 4 + 4 * i][2:], 16))
                            for i in range(int(fields[at]))]
                self.synsets[fields[2].replace("s", "a"), fields[0]] = words, ids, pointers, fields[2], fields[1]
        self.exceptions = {}
        for part in ("verb", "noun"):
            for line in open(folder / f"{part}.exc"):
                word, *bases = line.split()
                self.exceptions.setdefault(word, bases[0])

    def count(self, key, at):
        """How often the tagged corpus uses this word in this sense."""
        words, ids, pointers, kind, file = self.synsets[key]
        head = ""
        if kind == "s":
            heads = [self.synsets[target] for symbol, target, _, _ in pointers if symbol == "&" and target in self.synsets]
            if heads:
                head = f"{heads[0][0][0].lower()}:{heads[0][1][0]:0>2}"
        return self.uses[f"{words[at].lower()}%{NUMBERS[kind]}:{file}:{int(ids[at], 16):02d}:{head}{'' if head else ':'}"]


def main():
    counts, pieces = frequencies()
    wordnet = WordNet(Path(sys.argv[1]))
    uses = collections.Counter()
    for key, (words, *_) in wordnet.synsets.items():
        for at, word in enumerate(words):
            uses[word.lower()] += wordnet.count(key, at)

    def known(word):
        return word.isascii() and word.isalpha() and word.islower() and len(word) > 2 and (counts[word] > 0 or uses[word] > 0)

    synonyms, antonyms = set(), set()
    for key, (words, _, pointers, _, _) in wordnet.synsets.items():
        tagged = [(word, wordnet.count(key, at)) for at, word in enumerate(words) if known(word)]
        common = sorted({word for word, count in tagged if uses[word] == 0 or (count > 0 and count >= uses[word] / 10)})
        if len(common) > 1 and any(uses[word] for word in common):
            synonyms.add(" ".join(common))
        for symbol, target, source, to in pointers:
            if symbol == "!" and source and to and target in wordnet.synsets:
                pair = tuple(sorted((words[source - 1], wordnet.synsets[target][0][to - 1])))
                if all(map(known, pair)):
                    antonyms.add(" ".join(pair))
    (OUT / "synonyms.txt").write_text("\n".join(sorted(synonyms)) + "\n")
    (OUT / "antonyms.txt").write_text("\n".join(sorted(antonyms)) + "\n")
    with open(OUT / "words.txt", "w") as out:
        for word, count in sorted(counts.items()):
            base = wordnet.exceptions.get(word)
            irregular = base is not None and base != word and len(word) > 2 and word.isalpha()
            if count >= LEAST or (irregular and count >= LEAST_IRREGULAR):
                half_bits = round(2 * math.log2(pieces / count))
                out.write(f"{word} {half_bits}" + (f" {base}" if irregular else "") + "\n")


if __name__ == "__main__":
    main()
