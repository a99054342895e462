"""ROUGE-L: how much of a reference an answer says, in its order.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries": precision and recall are the
longest common subsequence of words over the length of the answer and of the reference, and the
score is their harmonic mean. Words are runs of letters and digits in lower case, as in the
`rouge-score` package without stemming.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[a-z0-9]+")


def rouge_l(answer: str, reference: str) -> float:
    """The F-measure, 0 to 1; 0 where either has no word."""
    said, wanted = _WORD.findall(answer.lower()), _WORD.findall(reference.lower())
    common = _common_subsequence(said, wanted)
    if common == 0:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    before = [0] * (len(other) + 1)
    for word in one:
        row = [0]
        for column, candidate in enumerate(other):
            matched = before[column] + 1 if word == candidate else 0
            row.append(max(matched, before[column + 1], row[-1]))
        before = row
    return before[-1]
