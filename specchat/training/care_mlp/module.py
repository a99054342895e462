"""IBM's MLP speculator as a module to train, and its checkpoint format.

After Wertheimer et al. 2024, "Accelerating Production LLMs with Combined Token/Embedding
Speculators". Head i predicts the token i + 2 places after the hidden state it starts from.
Tied: every depth after the first uses the same embedding, head and norm.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

ARCHITECTURE = "MLPSpeculatorPreTrainedModel"


@dataclass(frozen=True)
class MLPSpeculatorConfig:
    """The fields of IBM's `config.json`."""

    vocab_size: int
    emb_dim: int  # width of the target's hidden states
    inner_dim: int  # width of the speculator's own state; 0 means emb_dim
    n_predict: int  # depth
    top_k_tokens_per_head: tuple[int, ...]  # length n_predict
    n_candidates: int
    tie_weights: bool = True
    scale_input: bool = True

    @property
    def width(self) -> int:
        """The width of the speculator's own state."""
        return self.inner_dim or self.emb_dim

    @property
    def state_weight(self) -> float:
        """Weight of the state against the token's embedding."""
        return 0.5 ** (0.5 / self.n_predict)

    @property
    def embedding_scale(self) -> float:
        """What the token's embedding is multiplied by before it is added to the state."""
        weight = self.state_weight
        return math.sqrt((1 - weight**2) * self.width / 2) / weight


class Norm(nn.Module):
    """Root-mean-square norm with scale and shift; without parameters when not `affine`."""

    def __init__(self, width: int, affine: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)) if affine else None
        self.bias = nn.Parameter(torch.zeros(width)) if affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., width] to the same shape."""
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
        return x if self.weight is None else x * self.weight + self.bias


class MLPSpeculator(nn.Module):
    """The speculator's weights, as many as its layout has, and its forward pass."""

    def __init__(self, config: MLPSpeculatorConfig) -> None:
        super().__init__()
        self.config = config
        tied, n, width = config.tie_weights, config.n_predict, config.width
        depths = 1 if tied else n
        projections = min(2, n) if tied else n
        self.emb = nn.ModuleList(nn.Embedding(config.vocab_size, width) for _ in range(depths))
        self.proj = nn.ModuleList(
            nn.Linear(config.emb_dim if i == 0 else width, width, bias=False)
            for i in range(projections)
        )
        self.head = nn.ModuleList(
            nn.Linear(width, config.vocab_size, bias=False) for _ in range(depths)
        )
        self.ln = nn.ModuleList(Norm(width) for _ in range(depths))
        self.ln0 = Norm(config.emb_dim, affine=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Embeddings and matrices of unit gain, so that no depth starts louder than another."""
        std = 1 / math.sqrt(self.config.width)
        for module in (*self.emb, *self.proj, *self.head):
            nn.init.normal_(module.weight, std=std)

    @torch.no_grad()
    def start_from_target(self, embedding: torch.Tensor, head: torch.Tensor) -> None:
        """Starts embedding, head and first projection from the target's.

        embedding and head are [vocabulary, emb_dim]; a narrower speculator gets their leading
        principal directions. Raises `ValueError` for one that is wider than the target.
        """
        width = self.config.width
        if width > self.config.emb_dim:
            raise ValueError(
                f"inner_dim must be at most the target's {self.config.emb_dim}, got {width}"
            )
        left, values, right = torch.linalg.svd(head.float(), full_matrices=False)
        directions = right[:width]  # [width, emb_dim]
        scale = 1 / math.sqrt(width)
        for module in self.head:
            module.weight.copy_(_scaled(left[:, :width] * values[:width], scale))
        for module in self.emb:
            module.weight.copy_(_scaled(embedding.float() @ directions.T, scale))
        self.proj[0].weight.copy_(_scaled(directions, 1 / math.sqrt(self.config.emb_dim)))

    def input_state(self, hidden: torch.Tensor) -> torch.Tensor:
        """The first state [..., emb_dim] of the target's post-final-norm hidden states."""
        return self.ln0(hidden) / math.sqrt(2) if self.config.scale_input else hidden

    def step(self, state: torch.Tensor, tokens: torch.Tensor, depth: int) -> torch.Tensor:
        """The state [..., width] after the tokens [...] at a depth from 0."""
        proj = self.proj[min(depth, len(self.proj) - 1)]
        emb = self.emb[min(depth, len(self.emb) - 1)]
        norm = self.ln[min(depth, len(self.ln) - 1)]
        return F.gelu(norm(proj(state) + self.config.embedding_scale * emb(tokens)))

    def logits(self, state: torch.Tensor, depth: int) -> torch.Tensor:
        """Logits [..., vocabulary] of the token after a depth's state."""
        return self.head[min(depth, len(self.head) - 1)](state)

    def propose(self, hidden: torch.Tensor, token: torch.Tensor, depth: int) -> torch.Tensor:
        """The most likely chain: hidden [..., emb_dim] and tokens [...] to tokens [..., depth]."""
        state, chain = self.input_state(hidden), []
        for i in range(depth):
            state = self.step(state, token, i)
            token = self.logits(state, i).argmax(-1)
            chain.append(token)
        return torch.stack(chain, -1)


def save_speculator(
    model: MLPSpeculator, folder: Path, dtype: torch.dtype = torch.bfloat16
) -> None:
    """Writes `config.json` and `model.safetensors` as IBM's checkpoints have them."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": [ARCHITECTURE],
        "model_type": "mlp_speculator",
        **asdict(model.config),
        "torch_dtype": str(dtype).removeprefix("torch."),
    }
    config["top_k_tokens_per_head"] = list(model.config.top_k_tokens_per_head)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = {
        f"speculator.{name}": tensor.detach().to(dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def load_speculator(folder: Path) -> MLPSpeculator:
    """Reads what `save_speculator` wrote, in float32.

    Raises `FileNotFoundError` when the folder holds no speculator.
    """
    path = folder / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"no config.json in {folder}")
    config = json.loads(path.read_text())
    fields = {name: config[name] for name in MLPSpeculatorConfig.__dataclass_fields__}
    fields["top_k_tokens_per_head"] = tuple(fields["top_k_tokens_per_head"])
    model = MLPSpeculator(MLPSpeculatorConfig(**fields))
    tensors = load_file(folder / "model.safetensors")
    model.load_state_dict(
        {name.removeprefix("speculator."): tensor.float() for name, tensor in tensors.items()}
    )
    return model


def bundled_config(
    vocab_size: int, emb_dim: int, inner_dim: int = 256, n_predict: int = 7
) -> MLPSpeculatorConfig:
    """The configuration of the bundled speculator."""
    top_k: Sequence[int] = (4, 3, 2, 2, 1, 1, 1)
    return MLPSpeculatorConfig(
        vocab_size=vocab_size,
        emb_dim=emb_dim,
        inner_dim=inner_dim,
        n_predict=n_predict,
        top_k_tokens_per_head=tuple([*top_k, *[1] * n_predict][:n_predict]),
        n_candidates=5,
    )


def _scaled(matrix: torch.Tensor, std: float) -> torch.Tensor:
    """`matrix` with the standard deviation `std`."""
    return matrix * (std / matrix.std())
