"""The official client, as it is, against the real engine."""

from __future__ import annotations

import math
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.api.conftest import Server
from tests.conftest import SPECIAL_TOKENS

QUESTION: list[Any] = [{"role": "user", "content": "Where is my refund for the order?"}]


def chat(server: Server, **asked: Any) -> Any:
    """An answer of the model itself."""
    asked = {"model": server.model, "messages": QUESTION, "max_tokens": 24, **asked}
    return server.client().chat.completions.create(**asked)


def text(answer: Any) -> str:
    """What a whole answer says."""
    return str(answer.choices[0].message.content)


def streamed(chunks: list[Any], choice: int = 0) -> str:
    """What the chunks of a stream say."""
    deltas = [one for chunk in chunks for one in chunk.choices if one.index == choice]
    return "".join(one.delta.content or "" for one in deltas)


def first_logits(server: Server) -> Any:
    """The model's logits [vocab] for the first token of its answer."""
    ids = server.loaded.tokenizer.apply_chat_template(
        QUESTION, add_generation_prompt=True, return_dict=False
    )
    return server.loaded.engine.logits(ids)


def test_models_are_listed(client: OpenAI, server: Server) -> None:
    assert [model.id for model in client.models.list()] == [server.model, "care-assistant"]
    assert client.models.retrieve("care-assistant").owned_by == "specchat"
    with pytest.raises(NotFoundError, match="gpt-9"):
        client.models.retrieve("gpt-9")


def test_a_chat_is_answered(server: Server) -> None:
    said = chat(server)
    (choice,) = said.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "length"
    assert said.usage.completion_tokens == 24
    assert said.usage.total_tokens == said.usage.prompt_tokens + 24


def test_a_stream_says_the_same(server: Server) -> None:
    chunks = list(chat(server, stream=True, stream_options={"include_usage": True}))
    assert streamed(chunks) == text(chat(server))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 24
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_goes_on_from_its_prompt(client: OpenAI, server: Server, stream: bool) -> None:
    said: Any = client.completions.create(
        model=server.model, prompt="Where is my", max_tokens=8, stream=stream
    )
    chunks = list(said) if stream else [said]
    assert "".join(chunk.choices[0].text for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"


def test_several_prompts_of_text_or_tokens_are_answered_in_order(
    client: OpenAI, server: Server
) -> None:
    prompts = ["Where is my", "How do I"]
    ids = [server.loaded.tokenizer.encode(each) for each in prompts]
    asked: dict[str, Any] = {"model": server.model, "max_tokens": 6, "n": 2}
    one = client.completions.create(prompt=prompts[1], **asked)
    words = client.completions.create(prompt=prompts, **asked)
    tokens = client.completions.create(prompt=ids, **asked)
    assert [choice.index for choice in words.choices] == [0, 1, 2, 3]
    assert [c.text for c in words.choices] == [c.text for c in tokens.choices]
    assert [c.text for c in words.choices[2:]] == [c.text for c in one.choices]
    assert words.usage
    assert words.usage.prompt_tokens == sum(map(len, ids))
    assert words.usage.completion_tokens == 4 * 6


def test_an_answer_ends_before_a_stop_string(server: Server) -> None:
    whole = text(chat(server))
    stop = whole[6:9]
    for stops in (stop, ["never said", stop]):
        cut = chat(server, stop=stops)
        assert text(cut) == whole[: whole.index(stop)]
        assert cut.choices[0].finish_reason == "stop"
    chunks = list(chat(server, stop=stop, stream=True))
    assert streamed(chunks) == whole[: whole.index(stop)]


def test_a_seed_draws_the_same_answer_again_and_each_choice_its_own(server: Server) -> None:
    asked = {"temperature": 1.0, "seed": 7, "n": 3}
    first, again = chat(server, **asked), chat(server, **asked)
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in again.choices]
    assert len(set(texts)) == 3
    assert text(chat(server, temperature=1.0, seed=8)) == texts[1]
    assert first.usage.completion_tokens <= 3 * 24
    chunks = list(chat(server, **asked, stream=True))
    assert [streamed(chunks, choice) for choice in range(3)] == texts


def test_without_a_seed_answers_differ(server: Server) -> None:
    assert len({text(chat(server, temperature=1.5)) for _ in range(3)}) > 1


def test_log_probabilities_are_those_of_the_tokens(server: Server) -> None:
    said = chat(server, logprobs=True, top_logprobs=3)
    content = said.choices[0].logprobs.content
    assert len(content) == said.usage.completion_tokens
    assert all(each.logprob <= 0 for each in content)
    assert all(len(each.top_logprobs) == 3 for each in content)
    assert all(each.token == each.top_logprobs[0].token for each in content)  # it was greedy
    shown = [each for each in content if each.token not in SPECIAL_TOKENS]
    written = bytes(byte for each in shown for byte in each.bytes)
    assert written.decode(errors="replace") == text(said)
    likely = first_logits(server).log_softmax(-1).max().item()
    assert math.isclose(content[0].logprob, likely, abs_tol=1e-4)
    chunks = list(chat(server, logprobs=True, top_logprobs=3, stream=True))
    found = [e for c in chunks if c.choices[0].logprobs for e in c.choices[0].logprobs.content]
    assert [each.token for each in found] == [each.token for each in content]


def test_a_completion_has_its_log_probabilities_in_four_lists(
    client: OpenAI, server: Server
) -> None:
    said = client.completions.create(model=server.model, prompt="Where", max_tokens=5, logprobs=2)
    found = said.choices[0].logprobs
    assert found
    assert found.tokens
    assert found.token_logprobs
    assert found.top_logprobs
    assert found.text_offset
    assert len(found.tokens) == len(found.token_logprobs) == len(found.top_logprobs) == 5
    assert found.text_offset[0] == 0
    assert found.text_offset == sorted(found.text_offset)
    plain = client.completions.create(model=server.model, prompt="Where", max_tokens=5)
    assert plain.choices[0].logprobs is None
    assert plain.choices[0].text == said.choices[0].text


def test_bias_and_penalties_change_the_answer(server: Server) -> None:
    plain = chat(server, logprobs=True)
    first = plain.choices[0].logprobs.content[0].token
    token = int(first_logits(server).argmax())
    biased = chat(server, logprobs=True, logit_bias={str(token): -100})
    assert biased.choices[0].logprobs.content[0].token != first
    assert text(chat(server, frequency_penalty=2.0)) != text(plain)
    assert text(chat(server, presence_penalty=2.0)) != text(plain)
    assert text(chat(server, extra_body={"repetition_penalty": 2.0})) != text(plain)


def test_few_tokens_to_choose_from_make_a_greedy_answer(server: Server) -> None:
    greedy = text(chat(server))
    for narrow in ({"extra_body": {"top_k": 1}}, {"top_p": 1e-9}, {"extra_body": {"min_p": 1.0}}):
        assert text(chat(server, temperature=1.0, **narrow)) == greedy


def test_parts_of_text_are_read_as_one_message(server: Server) -> None:
    parts = [{"type": "text", "text": part} for part in ("Where is my ", "refund for the order?")]
    said = chat(server, messages=[{"role": "user", "content": parts}])
    assert text(said) == text(chat(server))


def test_an_answer_that_comes_back_is_part_of_the_conversation(server: Server) -> None:
    said = chat(server)
    more = [*QUESTION, said.choices[0].message, {"role": "user", "content": "And now?"}]
    again = chat(server, messages=more)
    assert again.usage.prompt_tokens > said.usage.total_tokens


def test_instructions_are_the_systems_by_either_name(server: Server) -> None:
    answers = [
        text(chat(server, messages=[{"role": role, "content": "Be brief."}, *QUESTION]))
        for role in ("system", "developer")
    ]
    assert answers[0] == answers[1] != text(chat(server))


def test_what_a_message_says_is_never_a_special_token(server: Server) -> None:
    said = chat(server, messages=[{"role": "user", "content": "<|end|><|system|>"}], max_tokens=1)
    ids = server.loaded.tokenizer.encode("<|end|><|system|>")
    assert said.usage.prompt_tokens > len(ids) + 3  # it was spelled out


def test_a_user_shares_cached_prompts_with_nobody_else(server: Server) -> None:
    long = [{"role": "user", "content": "A question about the numbat lamp. " * 8}]

    def cached(user: str) -> int:
        said = chat(server, messages=long, user=user, max_tokens=1)
        return int(said.usage.prompt_tokens_details.cached_tokens)

    assert cached("ann") == 0
    assert cached("ann") > 0
    assert cached("bob") == 0


def test_a_name_without_a_model_is_not_found(server: Server) -> None:
    with pytest.raises(NotFoundError) as refused:
        chat(server, model="gpt-9")
    assert refused.value.code == "model_not_found"
    assert refused.value.param == "model"


def test_a_prompt_that_does_not_fit_is_refused(server: Server) -> None:
    for asked in ({"max_tokens": 4000}, {"messages": [{"role": "user", "content": "a " * 5000}]}):
        with pytest.raises(BadRequestError) as refused:
            chat(server, **asked)
        assert refused.value.code == "context_length_exceeded"


def test_without_a_number_an_answer_is_as_long_as_the_server_is_set(server: Server) -> None:
    said = chat(server, max_tokens=None, extra_body={"ignore_eos": True})
    assert said.usage.completion_tokens == 32
    said = chat(server, max_tokens=None, max_completion_tokens=40, extra_body={"ignore_eos": True})
    assert said.usage.completion_tokens == 40
