"""An extractive summary: the sentences that share most words with the rest of their text."""

import re
from collections import Counter

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SENTENCE = re.compile(r"[.!?][\"')\]]*$")
_WORD = re.compile(r"\w{4,}")


def summarise(text: str, sentences: int = 3) -> str:
    """The first sentence and those of the highest weight, in the order of the text.

    The weight of a sentence is the average number of times that its words of four letters and more occur in
    the text. A line that does not end like a sentence is a heading, and left out.
    """
    paragraphs = [line.strip() for line in text.splitlines() if _SENTENCE.search(line.strip())]
    found = [s.strip() for line in paragraphs for s in _SENTENCE_END.split(line)]
    if not found:
        return "there is no text."
    counts = Counter(_WORD.findall(text.lower()))

    def weight(sentence: str) -> float:
        words = _WORD.findall(sentence.lower())
        return sum(counts[word] for word in words) / (len(words) or 1)

    rest = sorted(range(1, len(found)), key=lambda i: (-weight(found[i]), i))
    return " ".join(found[i] for i in sorted([0, *rest[: sentences - 1]]))
