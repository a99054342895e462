"""The bundled `care` models: they load, agree with each other, and their card states figures."""

import json
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from specchat.chat.slots.vocabulary import SLOT_TOKENS
from specchat.pretrained.packed import unpacked
from specchat.training.care_mlp.module import load_speculator
from specchat.training.tokenizer import CHAT_TOKENS

CARE = Path(__file__).resolve().parents[2] / "assets/models/care-mini"
CARD = CARE / "README.md"


@pytest.mark.parametrize("name", ["target", "draft"])
def test_language_models_load_in_bf16_with_the_tokenizers_vocabulary(name: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(unpacked(CARE / name))
    tokenizer = AutoTokenizer.from_pretrained(CARE / "target")
    assert model.dtype == torch.bfloat16
    assert model.config.vocab_size == len(tokenizer) == 4096
    assert model.config.max_position_embeddings == 2048
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


def test_the_speculator_fits_the_target() -> None:
    speculator = load_speculator(CARE / "mlp_speculator")
    target = json.loads((CARE / "target/config.json").read_text())
    assert speculator.config.emb_dim == target["hidden_size"]
    assert speculator.config.vocab_size == target["vocab_size"]
    assert speculator.config.tie_weights


def test_the_tokenizer_has_this_versions_chat_and_slot_tokens() -> None:
    tokenizer = AutoTokenizer.from_pretrained(CARE / "target")
    expected = [*CHAT_TOKENS, *SLOT_TOKENS]
    assert tokenizer.convert_ids_to_tokens(list(range(len(expected)))) == expected


@pytest.mark.parametrize("question", ["how do I cancel order {{order_number}}?", "track my refund"])
def test_the_target_answers_a_question_and_ends(question: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(CARE / "target")
    model = AutoModelForCausalLM.from_pretrained(unpacked(CARE / "target"), dtype=torch.float32)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    answer = model.generate(**prompt, do_sample=False, max_new_tokens=400)[0]
    text = tokenizer.decode(answer[prompt["input_ids"].shape[1] :])
    assert text.endswith("<|end|>")
    assert re.search(r"order|refund|cancel", text)


def test_all_assets_fit_their_limit() -> None:
    assets = CARE.parents[1]
    sizes = [path.stat().st_size for path in assets.rglob("*") if path.is_file()]
    assert sum(sizes) < 55 * 2**20


def test_the_card_credits_its_data_and_states_its_figures() -> None:
    card = CARD.read_text(encoding="utf-8")
    for credit in ("Bitext", "CDLA-Sharing-1.0", "CuCom", "Apache-2.0"):
        assert credit in card
    for figure in (
        r"held-out loss[^\n]*\d\.\d\d",
        r"mean acceptance length[^\n]*\d\.\d",
        r"\d+(\.\d+)? M parameters",
        r"\d+(\.\d+)? M tokens",
    ):
        assert re.search(figure, card, re.IGNORECASE), figure
    assert "specchat train" in card
    assert "cannot" in card
