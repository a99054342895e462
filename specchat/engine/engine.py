"""The engine: requests in, token streams out, one step loop on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from collections.abc import Sequence as Seq
from concurrent.futures import Future
from functools import partial

import torch

from specchat.engine import step as steps
from specchat.engine.counters import EngineCounters
from specchat.engine.drafting.aux_states import AuxRoom, AuxTape
from specchat.engine.drafting.propose import Drafting
from specchat.engine.drafting.speculator import Speculator
from specchat.engine.errors import EngineClosedError, RequestError
from specchat.engine.hardware import is_device_lost
from specchat.engine.job import Job
from specchat.engine.kv.page_pool import PagePool
from specchat.engine.model.compiled import CompileQueue
from specchat.engine.model.runner import ModelRunner
from specchat.engine.native.merging import BuildMerger
from specchat.engine.options import EngineOptions
from specchat.engine.output.commit import OutputText
from specchat.engine.output.delivery import Delivery
from specchat.engine.output.detokenizer import Detokenizer
from specchat.engine.policy.cost_model import StepCost
from specchat.engine.policy.policy import Policy
from specchat.engine.request import (
    DraftTrace,
    FinishReason,
    KnownText,
    Request,
    SamplingParams,
    TokenDelta,
    TurnStats,
)
from specchat.engine.sampling.noise import gumbel_noise
from specchat.engine.sampling.sampler import RowGroup, noise_of, scores
from specchat.engine.scheduling.inbox import Inbox
from specchat.engine.scheduling.scheduler import Scheduler
from specchat.engine.scheduling.scoring import Scoring
from specchat.engine.scheduling.suspects import Suspects
from specchat.engine.scheduling.waiting import Waiting
from specchat.engine.sequence import Counters, Sequence, TokenStream
from specchat.engine.snapshot import EngineSnapshot, ModelInfo, taken_snapshot
from specchat.engine.validation import Validation
from specchat.engine.watchdog import Watchdog

log = logging.getLogger(__name__)

LAST_JOB_S = 5.0
"""That closing waits for what is being compiled."""

Ended = Callable[[FinishReason, TurnStats | None], None]
"""Told why a request ended and what it cost; None where the step that it ran in failed."""


class Engine:
    """Serves one model. `submit`, `cancel`, `learn`, `snapshot` and `close` are safe from any
    thread.

    A step that raises fails the requests that ran in it with that error; the engine goes on with a
    fresh pool for those that waited and for the next ones. A prompt that does so again, alone, is
    refused from then on. Where the GPU itself is lost, or a step
    does not end within `EngineOptions.step_limit_s`, it ends: everybody who waits is told, nothing
    is accepted any more, and `snapshot` says so.
    """

    def __init__(
        self,
        runner: ModelRunner,
        info: ModelInfo,
        *,
        detokenizer: Detokenizer,
        eos_ids: Seq[int],
        speculators: Seq[Speculator] = (),
        queue: CompileQueue | None = None,
        options: EngineOptions | None = None,
    ) -> None:
        self.info = info
        self.options = options or EngineOptions()
        self._counters = EngineCounters()
        self._suspects = Suspects()
        self._runner = runner
        self._scoring = Scoring(runner)
        self._new_pool()
        self._validation = Validation(info, self.pool.total * self.pool.page_size)
        self._detokenizer = detokenizer
        self.eos_ids = frozenset(eos_ids)
        self._queue = queue or CompileQueue(enabled=False)
        cost = StepCost(runner.place, runner.prior_ms)
        policy = Policy(cost, self.options.max_nodes)
        self._drafting = Drafting(speculators, policy, info.vocab_size)
        self._sequences: dict[str, Sequence] = {}
        self._delivery = Delivery()
        self._aux_room = AuxRoom()
        self._watchers: tuple[Ended, ...] = ()
        runner.meanwhile = self._delivery.hand_over
        self._inbox = Inbox()
        self._order = 0
        for speculator in speculators:
            self._queue.add(speculator)
        self._queue.add(BuildMerger(speculators))
        self._queue.start()
        self._watchdog = Watchdog(
            self.options.step_limit_s, self._stuck, excused=lambda: not self._queue.done
        )
        self._thread = threading.Thread(target=self._loop, name="specchat-engine", daemon=True)
        self._thread.start()

    # From any thread

    def submit(self, request: Request) -> TokenStream:
        """Queue a request and return its stream.

        Raises:
            RequestError: the prompt is empty, has unknown tokens, or does not fit.
            RefusedRequestError: it has ended two steps with an error within the hour.
            QueueFullError: too many requests wait.
            EngineClosedError: the engine is closed.
        """
        self._validation.request(request)
        stream = TokenStream(request.request_id, self.cancel)
        counters = Counters()  # its time runs from now: the step under way is waited for, too
        self._inbox.ask(lambda: self._add(request, stream, counters))
        return stream

    def cancel(self, request_id: str) -> None:
        """End a request with finish reason `cancelled`; unknown or finished ids are ignored."""
        try:
            self._inbox.post(lambda: self._finish(request_id, FinishReason.CANCELLED))
        except EngineClosedError:
            return

    def watch(self, ended: Ended) -> None:
        """Have `ended` told of every request that ends from now on. The engine thread calls it, so
        it must return at once and raise nothing."""
        self._watchers = (*self._watchers, ended)

    @property
    def alive(self) -> bool:
        """False when nothing is answered any more: it was closed, or has stopped for good."""
        return self._thread.is_alive() and not self._inbox.over

    def snapshot(self) -> EngineSnapshot:
        """The state as of the last step."""
        return taken_snapshot(
            self.pool, self._scheduler, self._counters, self._runner.cache,
            backend=self._backend, ready=self._queue.done, failure=self._inbox.failure,
        )  # fmt: skip

    @property
    def _backend(self) -> str:
        if self._inbox.failure is not None:
            return f"stopped ({self._inbox.failure})"
        return "native" if self._runner.native.ready else self._queue.description

    @property
    def rows_per_request(self) -> int:
        """Rows that every decoding request takes in exact mode; 0 where steps are not padded: by
        default, and on the native step, whose rows have the same bits in a step of any size."""
        if not self.options.exact or self._runner.native.ready:
            return 0
        return 1 + self.options.max_nodes

    def logits(self, token_ids: Seq[int]) -> torch.Tensor:
        """The target's logits `[vocab]` (float32) after `token_ids`, through the paged cache.
        Waits for its pages while the cache is full.

        Raises:
            RequestError: no token, unknown ones, or more than the context holds.
            EngineClosedError: the engine is closed.
        """
        self._validation.ids(token_ids, 0)
        future: Future[torch.Tensor] = Future()
        with self._inbox.awaiting(future):
            self._inbox.post(lambda: self._scoring.add_logits(token_ids, future))
            return future.result()

    def log_likelihoods(self, texts: Seq[KnownText]) -> list[float]:
        """How likely the target finds the end of each text: the mean log-probability of its tokens
        from `first` on. What is computed stays in the prefix cache. Waits as `logits` does.

        Raises:
            RequestError: no token before or after `first`, unknown ones, or too many.
            EngineClosedError: the engine is closed.
        """
        for text in texts:
            self._validation.known_text(text)
        futures: list[Future[float]] = [Future() for _ in texts]
        with self._inbox.awaiting(*futures):
            for text, future in zip(texts, futures, strict=True):
                self._inbox.post(partial(self._scoring.add_likelihood, text, future))
            return [future.result() for future in futures]

    def choice_scores(
        self, token_ids: Seq[int], params: SamplingParams, answered: int
    ) -> torch.Tensor:
        """What the token after `token_ids` is chosen by, `[vocab]`: the best score wins. Logits, or
        log p + noise when sampled, after bias and penalties. The last `answered` ids are the
        answer."""
        logits = self.logits(token_ids)[None]
        noise = None
        if not params.greedy:
            noise = gumbel_noise(params.seed, len(token_ids), 1, logits.shape[1], logits.device)
        prompt = len(token_ids) - answered
        group = RowGroup(params, 1, noise, [list(token_ids)], prompt)
        return scores(logits, [group])[0]

    def evict_salt(self, salt: str) -> int:
        """Forget a tenant's prefix pages, the speculators' too; returns how many of the target's
        were freed at once."""
        return self._inbox.ask(lambda: self._evict_salt(salt))

    def learn(self, answers: Seq[Seq[int]], salt: str = "", *, fresh: bool = False) -> None:
        """Let speculators draft from these answers too, for all requests or those of one salt: each
        the token that opens an answer, the answer and its end. Give redacted ones. With `fresh`
        whatever was learned under the salt before is forgotten. Safe from any thread.

        Raises:
            RequestError: unknown tokens.
        """
        for answer in answers:
            self._validation.tokens(answer)
        self._drafting.learn_answers(answers, salt, fresh)

    def close(self) -> None:
        """Cancel everything and stop; returns when the step loop has ended. The KV cache is given
        back, unless a step is stuck in it."""
        if not self._end_loop():
            return
        self._queue.stop()
        if self._thread.is_alive():
            return
        # A thread that is in C++ when the interpreter ends takes the process down with it.
        if self._queue.wait(LAST_JOB_S) and self._inbox.failure is None:
            self._runner.cache.release()
        self._drafting.close()

    def _end_loop(self) -> bool:
        """Run no further step; False when somebody else has seen to that."""
        if not self._inbox.close():
            return False
        while self._thread.is_alive() and self._inbox.failure is None:
            self._thread.join(0.1)  # until the watchdog calls the step stuck
        self._thread.join(LAST_JOB_S)
        self._watchdog.stop()
        return True

    # On the engine thread

    def _loop(self) -> None:
        with torch.inference_mode():
            while self._inbox.wait(self._busy):
                try:
                    with self._watchdog:
                        self._inbox.work()
                        self._step()
                except Exception as error:  # one bad step must not end the service
                    log.exception("an engine step failed")
                    if self._inbox.failure is not None:
                        break
                    if is_device_lost(error, self._runner.cache.devices):
                        self._inbox.failure = (
                            f"the GPU has failed: {str(error).partition(chr(10))[0]}"
                        )
                        break
                    self._fail_running(error)
            self._inbox.work()  # first, so that a request queued at the last moment is ended too
            if self._inbox.failure is not None:  # every further call on the GPU would fail too
                log.error("%s; nothing is answered any more, restart", self._inbox.failure)
                self._end_by(self._inbox.ended, list(self._sequences))
            for request_id in list(self._sequences):
                self._finish(request_id, FinishReason.CANCELLED)
            self._scoring.fail(self._inbox.ended)
            self._delivery.close()

    def _busy(self) -> bool:
        return bool(self._sequences or self._scoring)

    def _step(self) -> None:
        if self._scoring:
            rows = self._scheduler.prefill_budget(len(self._scheduler.running))
            self._scoring.advance(self.pool, rows)
        plan = self._scheduler.plan(admit=not self._scoring.starved)
        if not plan:
            self._delivery.hand_over()
            return
        jobs = steps.run(plan, self._scheduler, self._drafting, self._runner, self.rows_per_request)
        self._scheduler.observe(sum([len(job.tokens) for job in jobs]), len(jobs))
        self._counters.steps += 1  # first: who has read an answer finds all its steps counted
        for job in jobs:
            self._deliver(job)
        if self.options.check_pages:
            self.pool.check()

    def _deliver(self, job: Job) -> None:
        sequence = job.sequence
        self._drafting.observe(sequence.request.request_id, job.tokens)
        committed, draft = job.committed, job.trace()
        if committed.finish is not None:
            if committed.finish is FinishReason.ERROR:
                log.error("a request failed: the target's logits are not finite")
            self._end(sequence, committed.finish, committed.emitted, draft)
        elif committed.emitted or draft:
            now = sequence.counters.since_submit(sequence.counters.last_token)
            request_id = sequence.request.request_id
            delta = TokenDelta(request_id, committed.emitted, now, draft=draft)
            self._delivery.add(sequence.stream, delta)

    def _end(
        self,
        sequence: Sequence,
        reason: FinishReason,
        emitted: tuple = (),
        draft: DraftTrace | None = None,
    ) -> None:
        # Numbers that are not finite may have reached the rows before them.
        self._scheduler.remove(sequence, sound=reason is not FinishReason.ERROR)
        if reason in (FinishReason.STOP, FinishReason.LENGTH):
            self._suspects.ended_well(sequence.prompt_name)
        self._drafting.forget(sequence.request.request_id)
        sequence.aux.take()
        del self._sequences[sequence.request.request_id]
        last = sequence.final_delta(reason, emitted, draft)
        for ended in self._watchers:  # first: who has read an answer finds it counted
            ended(reason, last.stats)
        self._delivery.put(sequence.stream, last)

    def _finish(self, request_id: str, reason: FinishReason) -> None:
        sequence = self._sequences.get(request_id)
        if sequence is not None:
            self._delivery.hand_over()
            self._end(sequence, reason)

    def _fail_running(self, error: Exception) -> None:
        """End what ran in a failed step. What waited goes on waiting, unless nothing ran: then the
        error is none of a step's, and would come again for ever."""
        waiting = self._scheduler.waiting if self._scheduler.running else None
        self._suspects.failed(each.prompt_name for each in self._scheduler.running)
        kept = {sequence.request.request_id for sequence in waiting or ()}
        self._end_by(error, [name for name in self._sequences if name not in kept])
        self._counters.failed_steps += 1
        self._new_pool(waiting)

    def _end_by(self, error: Exception, request_ids: Seq[str]) -> None:
        self._delivery.hand_over()
        for request_id in request_ids:
            self._drafting.forget(request_id)
            sequence = self._sequences.pop(request_id)
            sequence.aux.take()
            for ended in self._watchers:
                ended(FinishReason.ERROR, None)
            self._delivery.put(sequence.stream, error)

    def _add(self, request: Request, stream: TokenStream, counters: Counters) -> None:
        if request.request_id in self._sequences:
            raise RequestError(f"request_id must be unique, {request.request_id!r} is in use")
        name = self._suspects.name(request.prompt_ids)
        self._suspects.admit(name)
        params = request.params
        detokenize = self._detokenizer.start()
        self._order += 1
        sequence = Sequence(
            request=request,
            stream=stream,
            tokens=list(request.prompt_ids),
            output=OutputText(params, self.eos_ids, detokenize),
            max_new_tokens=params.max_tokens,
            noise=noise_of(params, self.info.vocab_size, self._runner.device),
            order=self._order,
            aux=AuxTape(self._aux_room),
            urgent=request.interactive,
            prompt_name=name,
            counters=counters,
        )
        self._scheduler.add(sequence)
        self._sequences[request.request_id] = sequence

    def _evict_salt(self, salt: str) -> int:
        self._drafting.evict_salt(salt)
        return self.pool.evict_salt(salt)

    def _new_pool(self, waiting: Waiting | None = None) -> None:
        """Start with an empty cache and nothing running."""
        options = self.options
        self.pool = PagePool(self._runner.pages, self._runner.cache.page_size, self._counters)
        self._scheduler = Scheduler(
            self.pool,
            token_budget=options.token_budget,
            prefill_rows=options.prefill_rows,
            max_running=options.max_running,
            waiting=waiting or Waiting(options.max_waiting),
            suspects=self._suspects,
        )
        self._scoring.restart()

    def _stuck(self) -> None:
        """A step does not end: tell everybody who waits, for the thread that is in it cannot."""
        failure = f"a step has not ended within {self.options.step_limit_s:g} s"
        log.error("%s; nothing is answered any more, restart", failure)
        self._inbox.fail(failure)
        for sequence in list(self._sequences.values()):
            sequence.stream.put(self._inbox.ended)
