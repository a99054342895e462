"""A small random model of each family that the native step computes."""

from __future__ import annotations

from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GemmaConfig,
    GemmaForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SIZES = {
    "vocab_size": 133,  # no multiple of a vector
    "hidden_size": 48,
    "intermediate_size": 88,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
LIKE_LLAMA = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True)),
    "llama3 rope": lambda: LlamaForCausalLM(
        LlamaConfig(
            **SIZES,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 4.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        )
    ),
    "heads of 64": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, head_dim=64)),
    "wide heads": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, head_dim=80)),
    "heads of 128": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, head_dim=128)),
    "one key head for many": lambda: LlamaForCausalLM(
        LlamaConfig(**SIZES | {"num_key_value_heads": 1})
    ),
    "columns in groups": lambda: LlamaForCausalLM(
        LlamaConfig(**SIZES | {"hidden_size": 96, "intermediate_size": 160})
    ),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=None)),
    "mistral with a window": lambda: MistralForCausalLM(MistralConfig(**SIZES, sliding_window=64)),
    "qwen2 with biases": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES)),
    "qwen3 with head norms": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, head_dim=16)),
    "granite with multipliers": lambda: GraniteForCausalLM(
        GraniteConfig(
            **SIZES,
            embedding_multiplier=3.0,
            residual_multiplier=0.4,
            attention_multiplier=0.2,
            logits_scaling=2.5,
        )
    ),
}
FAMILIES = LIKE_LLAMA | {
    "gemma": lambda: GemmaForCausalLM(GemmaConfig(**SIZES, head_dim=16)),
    "gemma2": lambda: Gemma2ForCausalLM(
        Gemma2Config(
            **SIZES,
            head_dim=16,
            sliding_window=70,
            layer_types=["sliding_attention", "full_attention"],
            query_pre_attn_scalar=20,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        )
    ),
    "gemma3": lambda: Gemma3ForCausalLM(
        Gemma3TextConfig(
            **SIZES,
            head_dim=16,
            sliding_window=64,
            layer_types=["sliding_attention", "full_attention"],
            rope_parameters={
                "sliding_attention": {"rope_type": "default", "rope_theta": 10.0},
                "full_attention": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 8.0},
            },
        )
    ),
    "phi3 with half a rotation": lambda: Phi3ForCausalLM(
        Phi3Config(
            **SIZES, sliding_window=100, partial_rotary_factor=0.5, pad_token_id=0, head_dim=16
        )
    ),
    "olmo2": lambda: Olmo2ForCausalLM(Olmo2Config(**SIZES)),
    "olmo3": lambda: Olmo3ForCausalLM(
        Olmo3Config(**SIZES, sliding_window=64, layer_types=["sliding_attention", "full_attention"])
    ),
}
WINDOWS = ("mistral with a window", "gemma2", "gemma3", "phi3 with half a rotation", "olmo3")
"""Those whose rows do not see everything before them."""
