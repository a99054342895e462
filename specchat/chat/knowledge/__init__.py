"""What the shop knows: help pages and documents, searched by words and by meaning, and judged."""

from specchat.chat.knowledge.asked import Exchange
from specchat.chat.knowledge.index import Vectors
from specchat.chat.knowledge.judge import UNSURE, Judgement
from specchat.chat.knowledge.knowledge import Knowledge
from specchat.chat.knowledge.passage import COMPANY, Found, Passage

__all__ = [
    "COMPANY", "UNSURE", "Exchange", "Found", "Judgement", "Knowledge", "Passage",
    "Vectors",
]  # fmt: skip
