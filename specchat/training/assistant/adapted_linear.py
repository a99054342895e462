"""A frozen weight with its low-rank update as one step of autograd.

peft's layer does the same sum in six steps, each with a pass over the whole output; here the update
is added in place, forwards and backwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import Function


class AdaptedLinear(Function):
    """`x W' + scale (x A') B'` for x [..., in], W [out, in], A [rank, in], B [out, rank].

    The gradients of x, A and B; W is frozen.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        context: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        small = rows @ down.T
        out = rows @ weight.T
        out.addmm_(small, up.T, alpha=scale)
        context.save_for_backward(rows, weight, down, up, small)
        context.scale = scale
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        rows, weight, down, up, small = context.saved_tensors
        gradient = gradients[0].reshape(-1, gradients[0].shape[-1])
        of_small = (gradient @ up).mul_(context.scale)
        of_up = (gradient.T @ small).mul_(context.scale)
        of_down = of_small.T @ rows
        of_x = None
        if context.needs_input_grad[0]:
            of_x = (gradient @ weight).addmm_(of_small, down)
            of_x = of_x.view(*gradients[0].shape[:-1], -1)
        return of_x, None, of_down, of_up, None


def merge_steps(layer: Any) -> None:
    """Makes a peft LoRA layer compute by `AdaptedLinear`: the same values in fewer passes."""
    name = layer.active_adapters[0]
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    weight, scale = layer.base_layer.weight, layer.scaling[name]

    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = AdaptedLinear.apply(x, weight, down, up, scale)
        return out

    layer.forward = forward
