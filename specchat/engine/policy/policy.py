"""The two decisions of a step: who is asked for drafts, and how many of their nodes are verified.

`Drafting` does as it is told: it asks the speculators that `asking` names, in that order, merges
what they say into one tree for each request, and has `cpp/merging.h` keep the nodes that pay:
measured costs against calibrated chances. What the target then chose teaches the calibration; what
is expected with a speculator's drafts and without teaches `asking`.

Each step maximises expected tokens per millisecond, (B + F + sum of P) / (t(B + F + m) + d + o),
over the m most probable nodes of all requests' trees, where B is the number of decoding requests, F
the rows of prompts in the step, P a node's chance of being accepted, t the measured time of a step
of that many rows, d what drafting and o what the rest of the step costs. Prompt rows count as
tokens: somebody waits for them, and where a row is dear a draft must not take their place. The
empty tree is always a candidate.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from specchat.engine.policy.asking import Asking
from specchat.engine.policy.calibration import Calibration
from specchat.engine.policy.cost_model import Overhead, StepCost


class Prices(NamedTuple):
    """What a step takes, by how many draft nodes it has."""

    step_ms: array[float]  # of the model, with 0, 1, ... nodes
    node_ms: float  # that each node adds outside the model
    fixed_ms: float  # of a step without any, drafting included


@dataclass(slots=True)
class Policy:
    """What the nodes of a step are chosen by."""

    cost: StepCost
    max_nodes: int  # per request
    calibration: Calibration = field(default_factory=Calibration)
    overhead: Overhead = field(default_factory=Overhead)
    asking: Asking = field(default_factory=Asking)

    def observe(self, requests: int, nodes: int, rows: int, model_ms: float, ms: float) -> None:
        """Take in a step of `rows` rows that so many requests decoded in: the model's time, and
        what came on top besides drafting."""
        self.cost.observe(rows, model_ms)
        self.overhead.observe(requests, nodes, ms)

    def prices(self, requests: int, prompt_rows: int, draft_ms: float, nodes: int) -> Prices:
        """Of steps with up to so many draft nodes."""
        rows = requests + prompt_rows
        fixed_ms = self.cost.step_ms(rows) + self.overhead.ms(requests) + draft_ms
        return Prices(self.cost.table(rows, nodes), self.overhead.node_ms, fixed_ms)
