"""A frozen weight with its low-rank update as one step of autograd.

peft's layer does the same sum in six steps, each with a pass over the whole output; here the update
is added in place, forwards and backwards. Where the processor multiplies bfloat16 the frozen weight
and what it is multiplied with are rounded to that (two to four times as fast); sums and the
adapter's own weights stay float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd import Function


class FrozenLinear(Function):
    """`x W'` for x [..., in] and W [out, in] in float32 or bfloat16: the gradient of x alone."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        context.save_for_backward(weight)
        return _product(x, weight.T)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> Any:
        (weight,) = context.saved_tensors
        return _product(gradients[0], weight), None


class AdaptedLinear(Function):
    """`x W' + scale (x A') B'` for x [..., in], W [out, in], A [rank, in], B [out, rank].

    The gradients of x, A and B; W is frozen, in float32 or bfloat16.
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
        out = _product(rows, weight.T)
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
            of_x = _product(gradient, weight).addmm_(of_small, down)
            of_x = of_x.view(*gradients[0].shape[:-1], -1)
        return of_x, None, of_down, of_up, None


def merge_steps(layer: Any, dtype: torch.dtype = torch.float32) -> None:
    """Makes a peft LoRA layer compute by `AdaptedLinear`: the same values in fewer passes, with the
    frozen weight in `dtype`."""
    name = layer.active_adapters[0]
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    weight, scale = layer.base_layer.weight.detach().to(dtype), layer.scaling[name]

    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out: torch.Tensor = AdaptedLinear.apply(x, weight, down, up, scale)
        return out

    layer.forward = forward


def freeze(layer: torch.nn.Linear, dtype: torch.dtype) -> None:
    """Makes a linear layer without bias compute by `FrozenLinear`."""
    weight = layer.weight.detach().to(dtype)

    def forward(x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = FrozenLinear.apply(x, weight)
        return out

    layer.forward = forward  # type: ignore[method-assign]


def _product(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Their product in the precision of the rows, computed in that of the weight."""
    return (rows.to(weight.dtype) @ weight).to(rows.dtype)
