"""Adapters are merged as peft merges them, bit for bit in float32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn

from specchat.engine.errors import ModelLoadError
from specchat.engine.model.pretrained import load_causal_lm
from specchat.pretrained import adapter as adapters
from specchat.pretrained import cache
from specchat.pretrained.adapter import care, merge, read_adapter


def base(directory: Path) -> Any:
    return load_causal_lm(directory, torch.float32, torch.device("cpu"))


def saved_adapter(directory: Path, out: Path, **changes: Any) -> Path:
    """An adapter of random factors on the second layer."""
    options: dict[str, Any] = {
        "r": 4, "lora_alpha": 10, "target_modules": ["q_proj", "v_proj", "down_proj"],
        "layers_to_transform": [1], "task_type": "CAUSAL_LM",
    }  # fmt: skip
    model = get_peft_model(base(directory), LoraConfig(**(options | changes)))
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(out)
    return out


@pytest.mark.parametrize("changes", [{}, {"use_rslora": True}, {"layers_to_transform": None}])
def test_the_merge_is_pefts_bit_for_bit(
    tiny_model_dir: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = saved_adapter(tiny_model_dir, tmp_path / "adapter", **changes)
    merge(tiny_model_dir, folder, tmp_path / "merged", torch.float32)
    ours = base(tmp_path / "merged").state_dict()
    theirs = PeftModel.from_pretrained(base(tiny_model_dir), folder).merge_and_unload()
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours[name], weight), name
    changed = base(tiny_model_dir).state_dict()["model.layers.1.self_attn.q_proj.weight"]
    assert not torch.equal(ours["model.layers.1.self_attn.q_proj.weight"], changed)


def test_the_merged_model_is_kept_in_the_dtype_asked_for(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = saved_adapter(tiny_model_dir, tmp_path / "adapter")
    merge(tiny_model_dir, folder, tmp_path / "merged", torch.bfloat16)
    weights = load_file(tmp_path / "merged/model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "merged/config.json").read_text())["dtype"] == "bfloat16"
    assert (tmp_path / "merged/tokenizer.json").exists()


def test_the_assistant_is_merged_once_for_each_adapter(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cache, adapters):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(adapters, "base_directory", lambda: tiny_model_dir)
    one = saved_adapter(tiny_model_dir, tmp_path / "one")
    other = saved_adapter(tiny_model_dir, tmp_path / "other", lora_alpha=20)
    assert care(one) == care(one) != care(other)
    assert (care(one) / "model.safetensors").exists()


def test_an_adapter_of_another_base_is_refused(tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = saved_adapter(tiny_model_dir, tmp_path / "adapter")
    config = folder / "adapter_config.json"
    (tmp_path / "base").mkdir()
    with pytest.raises(ModelLoadError, match="which the model in"):
        merge(tmp_path / "base", folder, tmp_path / "merged", torch.float32)
    assert read_adapter(folder).scale == 10 / 4
    config.write_text(config.read_text().replace('"use_dora": false', '"use_dora": true'))
    with pytest.raises(ModelLoadError, match="must be a plain LoRA, got 'LORA' with use_dora"):
        read_adapter(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_damaged_file_is_named(tiny_model_dir: Path, tmp_path: Path, name: str) -> None:
    folder = saved_adapter(tiny_model_dir, tmp_path / "adapter")
    (folder / name).write_bytes(b"{")
    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_adapter(folder)
    (folder / name).unlink()
    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_adapter(folder)
