"""EAGLE-3 against the published formula in both layouts, and what it keeps of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from specchat.engine.cuda.step_tables import Geometry
from specchat.engine.drafting.aux_states import AuxTape
from specchat.engine.drafting.draft_tree import ROOT, DraftTree
from specchat.engine.drafting.speculator import DraftContext
from specchat.engine.sampling.noise import gumbel_noise
from specchat.speculators.eagle3.checkpoint import VARIANTS, load_network
from specchat.speculators.eagle3.speculator import CHUNK, DEPTH, Eagle3Speculator
from specchat.speculators.shared.chain import SIBLINGS
from tests.speculators.eagle3.reference import (
    DRAFTED,
    LAYERS,
    LAYOUTS,
    TARGET_HIDDEN,
    VOCAB,
    Reference,
    Tensors,
    make_tensors,
    native,
    speculators,
)

CPU = torch.device("cpu")
EMBEDDING = torch.randn(VOCAB, TARGET_HIDDEN, generator=torch.Generator().manual_seed(5))


def load(directory: Path, *, pages: int = 64, **options: Any) -> Eagle3Speculator:
    network = load_network(
        directory, vocab_size=VOCAB, hidden_size=TARGET_HIDDEN, layers=LAYERS, head=None
    )
    own = network.embed_tokens
    embedding = EMBEDDING if own is None else own.weight
    options = {"least_chance": 0.0, **options}
    return Eagle3Speculator(network, embedding, pages=pages, page_size=4, **options)


class Text:
    """One request's growing text, and states that a target may have computed for it."""

    def __init__(self, length: int, seed: int = 0, name: str = "r", salt: str = "") -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.tokens: list[int] = []
        self.aux = torch.empty(0, 3 * TARGET_HIDDEN)
        self.tape, self.told = AuxTape(), 0
        self.name, self.salt, self.seed = name, salt, seed
        self.grow(torch.randint(VOCAB, (length,), generator=self.generator).tolist())

    def grow(self, tokens: list[int]) -> None:
        """More tokens are known; states follow for every position but the last."""
        self.tokens += tokens
        new = len(self.tokens) - 1 - len(self.aux)
        states = torch.randn(new, 3 * TARGET_HIDDEN, generator=self.generator)
        self.aux = torch.cat([self.aux, states])

    def tell(self, start: int | None = None, end: int | None = None) -> None:
        """Hand over the states of these positions, else of all that are new."""
        start, end = self.told if start is None else start, len(self.aux) if end is None else end
        self.tape.add(start, self.aux[start:end])
        self.told = end

    def context(self, *, sampled: bool = False, max_depth: int = 100) -> DraftContext:
        noise = gumbel_noise(self.seed, len(self.tokens), 4, VOCAB, CPU) if sampled else None
        return DraftContext(
            self.name, list(self.tokens), 1, self.salt, None, 0.8 if sampled else 0.0, noise,
            max_depth, aux=self.tape,
        )  # fmt: skip


def assert_follows(
    tree: DraftTree,
    reference: Reference,
    text: Text,
    asked: DraftContext,
    depth: int = DEPTH,
    positions: list[int] | None = None,
) -> None:
    positions = list(range(len(text.tokens) - 1)) if positions is None else positions
    expected = reference.chain(asked, text.aux[positions], positions, depth)
    assert tree.tokens == [token for tokens, _ in expected for token in tokens]
    chances = [chance for _, row in expected for chance in row]
    assert tree.confidence == pytest.approx(chances, abs=1e-3)
    chain = [ROOT, *range(0, len(tree), SIBLINGS)]
    assert tree.parents == [parent for parent in chain[:-1] for _ in range(SIBLINGS)]
    assert set(tree.sources) == {"eagle3"}


@pytest.fixture
def head(tmp_path: Path, tensors: Tensors) -> Eagle3Speculator:
    return load(native(tmp_path / "head", tensors))


@pytest.fixture
def reference(tensors: Tensors) -> Reference:
    return Reference(tensors, EMBEDDING)


def test_kernels_give_the_drafts_of_gathered_pages(head: Eagle3Speculator) -> None:
    """As on a GPU; here by Triton's interpreter."""

    def drafted(geometry: Geometry | None) -> list[list[DraftTree]]:
        head._geometry = geometry
        name = "kernels" if geometry else "gathered"
        texts = [Text(length, seed=length, name=f"{name}{length}") for length in (3, 11)]
        found = []
        for _ in range(2):  # the second time behind rows that are kept
            for text in texts:
                text.tell()
            found.append(list(head.propose([text.context() for text in texts])))
            for text in texts:
                text.grow([5, 6])
        return found

    layer = head._network.config.layer
    kernels = Geometry(layer.num_attention_heads, layer.num_key_value_heads, 4, 2)
    for mine, theirs in zip(drafted(kernels), drafted(None), strict=True):
        assert [tree.tokens for tree in mine] == [tree.tokens for tree in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert len(one) > 0
            assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("drafted", [DRAFTED, None])
@pytest.mark.parametrize("embedding", [False, True])
@pytest.mark.parametrize("variant", [None, *VARIANTS])
def test_drafts_follow_the_published_formula(
    tmp_path: Path, layout: str, drafted: int | None, embedding: bool, variant: str | None
) -> None:
    variants = {variant: True} if variant else {}
    tensors = make_tensors(drafted=drafted, embedding=embedding, **variants)
    head = load(LAYOUTS[layout](tmp_path, tensors, **variants))
    for length in (2, 3, 11):
        text = Text(length, name=f"r{length}")
        text.tell()
        asked = text.context()
        (tree,) = head.propose([asked])
        assert_follows(tree, Reference(tensors, EMBEDDING, **variants), text, asked)


def test_all_variants_together(tmp_path: Path) -> None:
    variants = {"norm_before_residual": True, "norm_before_fc": True, "norm_output": True}
    tensors = make_tensors(embedding=True, **variants)
    text = Text(9)
    text.tell()
    asked = text.context()
    (tree,) = load(speculators(tmp_path, tensors, **variants)).propose([asked])
    assert_follows(tree, Reference(tensors, EMBEDDING, **variants), text, asked)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sampled_drafts_use_the_noise_of_the_target(
    head: Eagle3Speculator, reference: Reference, seed: int
) -> None:
    text = Text(12, seed)
    text.tell()
    asked = text.context(sampled=True)
    (tree,) = head.propose([asked])
    assert_follows(tree, reference, text, asked, depth=4)


@pytest.mark.parametrize("kept", [0, 1, 3, DEPTH])
def test_confirmed_places_are_computed_anew_from_the_targets_states(
    head: Eagle3Speculator, reference: Reference, kept: int
) -> None:
    text = Text(10)
    for _ in range(4):
        text.tell()
        asked = text.context()
        (tree,) = head.propose([asked])
        assert_follows(tree, reference, text, asked)
        text.grow([*tree.tokens[::SIBLINGS][:kept], 7])


def test_steps_without_a_question_are_caught_up(
    head: Eagle3Speculator, reference: Reference
) -> None:
    text = Text(10)
    for _ in range(3):
        text.tell()
        text.grow([1, 2])
    text.tell()
    asked = text.context()
    assert_follows(head.propose([asked])[0], reference, text, asked)


def test_a_long_prompt_is_computed_in_chunks(
    head: Eagle3Speculator, tensors: Tensors, reference: Reference, tmp_path: Path
) -> None:
    head = load(native(tmp_path / "long", tensors), pages=200)
    text = Text(2 * CHUNK + 9)
    text.tell()
    asked = text.context()
    assert_follows(head.propose([asked])[0], reference, text, asked)
    text.grow([3])
    text.tell()
    asked = text.context()
    assert_follows(head.propose([asked])[0], reference, text, asked)


def test_a_batch_is_drafted_as_its_members_alone(
    head: Eagle3Speculator, reference: Reference
) -> None:
    texts = [Text(5 + 3 * i, seed=i, name=f"r{i}") for i in range(5)]
    for text in texts:
        text.tell()
    batch = [text.context(sampled=i % 2 == 1, max_depth=1 + i) for i, text in enumerate(texts)]
    for text, asked, tree in zip(texts, batch, head.propose(batch), strict=True):
        depth = min(asked.max_depth, DEPTH if asked.gumbel is None else 4)
        assert_follows(tree, reference, text, asked, depth)


def test_without_states_nothing_is_drafted(head: Eagle3Speculator) -> None:
    text, early = Text(10), Text(1, name="early")
    assert [len(t) for t in head.propose([text.context(), early.context()])] == [0, 0]
    text.tell(0, 5)  # not up to the last token
    assert len(head.propose([text.context()])[0]) == 0


def test_the_next_turn_finds_the_conversation(head: Eagle3Speculator, reference: Reference) -> None:
    first = Text(14)
    first.tell()
    head.propose([first.context()])
    first.grow([9])
    first.tell()
    head.propose([first.context()])
    head.forget("r")
    assert head.cache.pool.held == 0
    second = Text(14, name="next")  # starts with the same tokens and states
    second.grow([3, 4, 5])
    second.tell(12)  # what the target found in its own prefix cache is not computed again
    asked = second.context()
    (tree,) = head.propose([asked])
    assert_follows(tree, reference, second, asked)


def test_another_tenant_does_not_find_it_and_a_forgotten_one_leaves_nothing(
    head: Eagle3Speculator, reference: Reference
) -> None:
    for step in ([], [9]):
        text = Text(14, salt="tenant")
        text.grow(list(step))
        text.tell()
        head.propose([text.context()])
    head.forget("r")
    other = Text(14, name="other", salt="other")
    other.tell(12)
    asked = other.context()
    (tree,) = head.propose([asked])
    assert_follows(tree, reference, other, asked, positions=[12])
    head.forget("other")
    assert head.cache.pool.cached > 0
    head.evict_salt("tenant")
    assert head.cache.pool.free == head.cache.pool.total


def test_the_same_text_after_another_first_token_is_another_text(
    head: Eagle3Speculator, reference: Reference
) -> None:
    for name in ("a", "b"):
        text = Text(14, name=name)
        text.tokens[0] = 1 if name == "a" else 2
        text.tell()
        asked = text.context()
        assert_follows(head.propose([asked])[0], reference, text, asked)
        text.grow([9])
        text.tell()
        head.propose([text.context()])
    third = Text(14, name="c")
    third.tokens[0] = 3
    third.tell(12)
    asked = third.context()
    assert_follows(head.propose([asked])[0], reference, third, asked, positions=[12])


def test_what_was_never_seen_is_left_out_and_all_else_stays_in_place(
    head: Eagle3Speculator, reference: Reference
) -> None:
    text = Text(20)
    text.tell(0, 5)
    text.tell(11, 16)
    text.tell(14, 19)  # some positions come twice
    asked = text.context()
    seen = [*range(5), *range(11, 19)]
    assert_follows(head.propose([asked])[0], reference, text, asked, positions=seen)
    text.grow([1, 2])
    text.tell(19)
    asked = text.context()
    seen += [19, 20]
    assert_follows(head.propose([asked])[0], reference, text, asked, positions=seen)
    head.forget("r")
    assert head.cache.pool.cached == 0  # a text with a hole is nobody else's start


def test_memory_is_bounded_and_the_latest_requests_win(
    tmp_path: Path, tensors: Tensors, reference: Reference
) -> None:
    head = load(native(tmp_path / "small", tensors), pages=5)  # 20 rows
    texts = [Text(10, seed=i, name=f"r{i}") for i in range(3)]
    for text in texts:
        text.tell()
        asked = text.context()
        assert_follows(head.propose([asked])[0], reference, text, asked)
        head.cache.pool.check()
    assert len(head.cache) == 1
    texts[0].grow([3])  # its rows are gone: it starts again from what comes now
    texts[0].tell()
    asked = texts[0].context()
    assert_follows(head.propose([asked])[0], reference, texts[0], asked, positions=[9])
    for text in texts:
        head.forget(text.name)
    assert head.cache.pool.held == 0
