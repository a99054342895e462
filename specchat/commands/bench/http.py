"""`specchat bench http`: what the API costs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from specchat.commands import shared
from specchat.commands.measurement_options import Measured, measuring
from specchat.commands.shared import Limit, PromptsFile, Raw


@measuring
def http(
    measured: Measured,
    prompts_file: PromptsFile,
    streams: Annotated[int, typer.Option(min=1, help="Requests sent at once.")] = 16,
    repeats: Annotated[int, typer.Option(min=1, help="Times that each prompt is sent.")] = 3,
    raw: Raw = False,
    limit: Limit = None,
) -> None:
    """Measure the HTTP API beside the engine behind it: the same requests both ways, in turns.

    Tokens per second as a ratio, and what is added to the first token. A client in another process
    sends them; it shares the processors with the server.
    """
    with shared.explained():
        from specchat.api import build_api
        from specchat.bench.environment import describe_environment
        from specchat.bench.http.report import http_report, http_text
        from specchat.bench.http.rounds import Client, HttpPlan, run_rounds, served
        from specchat.bench.prompts import read_prompts
        from specchat.chat.company.profile import load_company
        from storage import open_store

        settings = measured.settings()
        prompts = read_prompts(prompts_file, limit)
        with open_store(settings.database_url) as store, shared.loaded_engine(settings) as loaded:
            room = loaded.engine.info.context_length - measured.max_tokens
            with shared.prompt_encoding(loaded, settings, raw=raw) as encode:
                encoded = shared.encode_prompts(encode, prompts, room)
            service = shared.chat_service(loaded, store, load_company(settings.company))
            api = build_api(loaded, service)
            shared.warmed_up(loaded.engine)
            environment = asdict(describe_environment(loaded.engine))
            plan = HttpPlan(api.model, measured.params(), streams, repeats)
            total = repeats * -(-len(encoded) // streams)
            with (
                served(api.app) as url,
                closing(Client(url)) as client,
                shared.progress("rounds", total) as advance,
            ):
                rounds = run_rounds(loaded.engine, client, encoded, plan, advance)
        measured.publish(http_report(rounds, plan, environment), http_text)
