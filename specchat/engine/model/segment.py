"""The rows of one request in a packed step: where its keys are and what each row may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(slots=True)
class Segment:
    """The rows of one request in a packed step."""

    start: int  # first row in the pack
    count: int  # rows of this request
    context: int  # tokens already in the cache
    pages: list[int]  # page ids that hold context + count rows
    ancestors: list[int] | None  # int64 bit mask per row; None is causal (a prefill chunk)
    positions: Sequence[int]
    _slots: slice | torch.Tensor | None = None
    _masks: dict[int, torch.Tensor | None] | None = None

    def slots(self, page_size: int, device: torch.device) -> slice | torch.Tensor:
        """Cache rows of the whole request; a slice when its pages lie next to each other."""
        if self._slots is None:
            rows = self.context + self.count
            first = self.pages[0]
            used = -(-rows // page_size)
            if self.pages[used - 1] == first + used - 1 and self.pages[:used] == list(
                range(first, first + used)
            ):
                self._slots = slice(first * page_size, first * page_size + rows)
            else:
                pages = torch.tensor(self.pages[:used], device=device)
                offsets = torch.arange(page_size, device=device)
                self._slots = (pages[:, None] * page_size + offsets).flatten()[:rows]
        return self._slots

    def mask(self, window: int, device: torch.device) -> torch.Tensor | None:
        """Boolean `[count, context + count]`, True where a row may look; None when everywhere.

        `window` is the number of latest positions a row may look at, itself included; 0 is all.
        """
        if self._masks is None:
            self._masks = {}
        if window not in self._masks:
            self._masks[window] = self._build_mask(window, device)
        return self._masks[window]

    def _build_mask(self, window: int, device: torch.device) -> torch.Tensor | None:
        if self.count == 1 and not window:
            return None
        if self.ancestors is None:
            own = torch.ones(self.count, self.count, dtype=torch.bool, device=device).tril()
        else:
            bits = torch.tensor(self.ancestors, dtype=torch.int64, device=device)
            own = (bits[:, None] >> torch.arange(self.count, device=device)) & 1 == 1
        prefix = torch.ones(self.count, self.context, dtype=torch.bool, device=device)
        mask = torch.cat([prefix, own], dim=1)
        if window:
            queries = torch.tensor(self.positions, device=device)
            keys = torch.cat([torch.arange(self.context, device=device), queries])
            mask &= keys[None, :] > queries[:, None] - window
        return mask
