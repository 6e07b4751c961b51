"""YandexGPT as the service's language model: one call with everything that guards it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from explanation_service.explanations.language_model import Completion, Deadlines, Prompt
from explanation_service.explanations.yandexgpt.attempts import attempted
from explanation_service.explanations.yandexgpt.circuit import Circuit, Permit
from explanation_service.explanations.yandexgpt.failures import CallFailed
from explanation_service.explanations.yandexgpt.slots import Slots
from explanation_service.explanations.yandexgpt.transport import Transport
from explanation_service.explanations.yandexgpt.wire import Parameters, Wire, parse_object
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import (
    explain_llm_inflight,
    explain_llm_request_duration_seconds,
    explain_llm_tokens_total,
)
from explanation_service.telemetry.tracing import Span, span

log = get_logger(__name__)


class YandexGpt:
    """One per process. Raises CallFailed, a LanguageModelUnavailable, and nothing else."""

    expected = True

    def __init__(
        self,
        parameters: Parameters,
        wire: Wire,
        transport: Transport,
        slots: Slots,
        circuit: Circuit | None = None,
    ) -> None:
        self.name = parameters.model
        self._wire = wire
        self._transport = transport
        self._slots = slots
        self._circuit = circuit or Circuit()
        self.fingerprint = (
            f"{parameters.model_uri} {parameters.temperature} {parameters.max_tokens}"
        )

    async def complete(self, prompt: Prompt, deadlines: Deadlines) -> Completion:
        async with self._guarded(deadlines) as done:
            body = self._wire.request(prompt, stream=False)

            async def attempt() -> Completion:
                answer = await self._transport.post(self._wire.path, body)
                return self._wire.completion(parse_object(answer))

            completion = await attempted(attempt, deadlines.end)
            done(completion)
        return completion

    async def stream(
        self, prompt: Prompt, deadlines: Deadlines, tell: Callable[[str], None]
    ) -> Completion:
        async with self._guarded(deadlines) as done:
            body = self._wire.request(prompt, stream=True)
            begun = False

            async def attempt() -> Completion:
                nonlocal begun
                reader = self._wire.reader()
                try:
                    async with aclosing(self._transport.lines(self._wire.path, body)) as lines:
                        async for line in lines:
                            begun = True
                            if piece := reader.read(line):
                                tell(piece)
                except CallFailed as failure:
                    # Once it has begun, a second attempt would tell another text.
                    failure.retryable = failure.retryable and not begun
                    raise
                return reader.end()

            completion = await attempted(attempt, deadlines.end)
            done(completion)
        return completion

    async def close(self) -> None:
        await self._transport.close()
        await self._slots.close()

    @asynccontextmanager
    async def _guarded(self, deadlines: Deadlines) -> AsyncIterator[Callable[[Completion], None]]:
        """Circuit breaker, slot, deadline, metrics and span around a call; what it gives is to be
        called with the answer."""
        with span(f"chat {self.name}", "client", {"gen_ai.request.model": self.name}) as record:
            async with self._measured(deadlines, record) as done:
                yield done

    @asynccontextmanager
    async def _measured(
        self, deadlines: Deadlines, record: Span
    ) -> AsyncIterator[Callable[[Completion], None]]:
        started = time.monotonic()
        outcome = "error"

        def done(completion: Completion) -> None:
            nonlocal outcome
            outcome = "truncated" if completion.truncated else "ok"
            explain_llm_tokens_total.labels("prompt").inc(completion.usage.prompt_tokens)
            explain_llm_tokens_total.labels("completion").inc(completion.usage.completion_tokens)
            record.note(
                {
                    "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
                    "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
                }
            )

        try:
            # Before the wait for a slot, and once more after it.
            if self._circuit.blocked:
                raise CallFailed("circuit_open", counts=False)
            async with (
                self._slots.slot(deadlines.begin),
                _bounded(deadlines.end, self._admitted()),
            ):
                with explain_llm_inflight.track_inprogress():
                    yield done
        except CallFailed as failure:
            outcome = failure.reason
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            record.note({"outcome": outcome})
            explain_llm_request_duration_seconds.labels(self.name, outcome).observe(
                time.monotonic() - started
            )

    def _admitted(self) -> Permit:
        permit = self._circuit.admit()
        if permit is None:
            raise CallFailed("circuit_open", counts=False)
        return permit


@asynccontextmanager
async def _bounded(end: float, permit: Permit) -> AsyncIterator[None]:
    """The one deadline over everything in the block, whose end the circuit breaker learns."""
    try:
        try:
            async with asyncio.timeout(end - time.monotonic()) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise CallFailed("timeout") from None
    except CallFailed as failure:
        (permit.failed if failure.counts else permit.succeeded)()
        raise
    except BaseException:
        permit.abandoned()
        raise
    permit.succeeded()
