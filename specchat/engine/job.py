"""One request's part of a step: the record that every stage of `step.run` reads and fills in."""

from __future__ import annotations

from dataclasses import dataclass, field

from specchat.engine.drafting.draft_tree import DraftTree
from specchat.engine.model.batch import Rows
from specchat.engine.output.commit import Committed
from specchat.engine.request import DraftTrace
from specchat.engine.sampling.sampler import NO_TOKEN
from specchat.engine.sampling.verify import Walk
from specchat.engine.sequence import Sequence

PREFILL = -1
"""Place of a request that computes a chunk of its prompt, so that nobody drafted for it."""

NOT_WALKED = Walk([], NO_TOKEN)
NOTHING = Committed(0, (), None)


@dataclass(slots=True, eq=False)
class Job:
    """From a request's drafts to what it got; what stands below `choices` is not known before the
    target has chosen."""

    sequence: Sequence
    place: int  # among the requests that were drafted for, or `PREFILL`
    tree: DraftTree  # what is verified; empty in a prefill chunk
    rows: Rows
    choices: int  # rows after which the target chooses a token: the first ones of those wanted
    walk: Walk = NOT_WALKED
    tokens: list[int] = field(default_factory=list)  # committed, in order
    accepted: list[int] = field(default_factory=list)  # nodes of the tree behind these tokens
    committed: Committed = NOTHING

    @property
    def decodes(self) -> bool:
        """False in a prefill chunk."""
        return self.place != PREFILL

    @property
    def path(self) -> list[int]:
        """Nodes of the tree whose rows are final."""
        return self.walk.nodes[: len(self.tokens)]

    def commit(self, tokens: list[int], committed: Committed) -> None:
        """Take in what became of a run. Its last token is the target's own, also where the answer
        ends inside the draft: so a step gives one token more than it accepts."""
        self.tokens, self.committed = tokens[: committed.kept], committed
        self.accepted = self.walk.nodes[: max(0, committed.kept - 1)]

    def trace(self) -> DraftTrace | None:
        """What the request's owner is told of the drafts; None unless asked for."""
        if not self.sequence.request.traced:
            return None
        tree, own = self.tree, self.tokens[len(self.accepted) :]
        return DraftTrace(
            tuple(tree.tokens),
            tuple(tree.parents),
            tuple(tree.sources),
            tuple(self.accepted),
            own[0] if own else None,
        )
