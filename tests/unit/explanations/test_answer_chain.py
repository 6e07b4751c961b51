"""Where the text comes from, and how long that takes: fresh, model, stale, rules."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from explanation_service.explanations import answer_chain
from explanation_service.explanations.composer import UNFINISHED, compose
from explanation_service.explanations.findings import FindingsService
from explanation_service.explanations.language_model import (
    Completion,
    DisabledLanguageModel,
    LanguageModelUnavailable,
)
from explanation_service.explanations.records import Delta, Explanation, ExplanationRequest, Usage
from explanation_service.explanations.service import ExplanationService
from explanation_service.retrieval.search import SearchResult
from explanation_service.stores.errors import StoreUnavailable
from explanation_service.stores.explanation_answers import AnswersSeen
from explanation_service.stores.records import Passage

PATIENCE = 60.0
ASK = ExplanationRequest("Какая буква?", student_answer="вада", correct_answer="вода")


class Kept:
    """ExplanationAnswers in memory, which can be away or slow."""

    def __init__(self) -> None:
        self.answers = {}
        self.version = None
        self.flights = {}
        self.away = False
        self.hangs = False

    async def _serve(self):
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise StoreUnavailable("redis", "gone")

    async def look_up(self, keys):
        await self._serve()
        flight = self.flights.get(keys.flight, "")
        failed = flight.removeprefix("failed:") if flight.startswith("failed:") else None
        return AnswersSeen(self.answers.get(keys.answer), self.version, failed)

    async def keep(self, keys, answer):
        await self._serve()
        self.answers[keys.answer] = answer
        self.version = answer.model_version

    async def claim(self, keys, token):
        await self._serve()
        return self.flights.setdefault(keys.flight, token) == token

    async def renew(self, keys, token):
        await self._serve()

    async def release(self, keys, token):
        await self._serve()
        if self.flights.get(keys.flight) == token:
            del self.flights[keys.flight]

    async def fail(self, keys, token, reason, seconds):
        await self._serve()
        if self.flights.get(keys.flight) == token:
            self.flights[keys.flight] = f"failed:{reason}"
            asyncio.get_running_loop().call_later(seconds, self.flights.pop, keys.flight, None)


class Model(DisabledLanguageModel):
    """Says what it is given when it is let."""

    name = "lite"

    def __init__(self, text="Пиши «о», проверка — «воды». Вот и всё.") -> None:
        super().__init__(expected=True)
        self.text = text
        self.fingerprint = "gpt://f/lite/latest 0.2 700"
        self.version = "v1"
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None
        self.calls = 0
        self.cancelled = 0
        self.deadlines = None

    async def complete(self, prompt, deadlines):
        return await self._answer(prompt, deadlines, None)

    async def stream(self, prompt, deadlines, tell):
        return await self._answer(prompt, deadlines, tell)

    async def _answer(self, prompt, deadlines, tell):
        self.calls += 1
        self.deadlines = deadlines
        half = len(self.text) // 2
        try:
            if tell:
                tell(self.text[:half])
            await self.go.wait()
            if self.error:
                raise self.error
            if tell:
                tell(self.text[half:])
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Completion(self.text, self.name, self.version, Usage(15, 10))


class World:
    """A service over stand-ins; every replica shares `kept`."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.model = Model()
        self.rule = Passage(
            "vowels", 0, 1, "Гласные", "Букву проверяют ударением.", None, None, (), 0.5
        )

    async def search(self, query, limit, filters):
        return SearchResult([self.rule], "hybrid", False, {})

    async def current(self, ids):
        return {}

    def replica(self, model=None, budget=PATIENCE, **more) -> ExplanationService:
        return ExplanationService(
            FindingsService(self, self),
            model or self.model,
            system_prompt=more.pop("system", "Объясняй."),
            model_timeout_seconds=budget,
            kept=self.kept,
            **more,
        )

    def rules(self) -> str:
        return compose(ASK, [self.rule])


@pytest.fixture
def world() -> World:
    return World()


async def until(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def streamed(service, request=ASK) -> tuple[str, Explanation]:
    parts = [part async for part in service.stream(request)]
    told = "".join(part.text for part in parts if isinstance(part, Delta))
    return told, parts[-1]


def summary(explanation: Explanation) -> tuple[str, bool]:
    return explanation.source, explanation.degraded


async def test_the_model_and_after_that_the_cache(world):
    first = await world.replica().explain(ASK)
    assert summary(first) == ("llm", False)
    assert (first.text, first.model, first.model_version) == (world.model.text, "lite", "v1")
    assert first.usage == Usage(15, 10)
    second = await world.replica().explain(ASK)
    assert summary(second) == ("cache", False)
    assert (second.text, second.model_version, second.usage) == (world.model.text, "v1", None)
    told, third = await streamed(world.replica())
    assert (told, third.source) == (world.model.text, "cache")
    assert world.model.calls == 1


async def test_a_stream_of_the_model(world):
    told, explanation = await streamed(world.replica())
    assert told == explanation.text == world.model.text
    assert summary(explanation) == ("llm", False)
    assert not world.kept.flights


@pytest.mark.parametrize(
    "other",
    [
        {"question": "Какая гласная?"},
        {"student_answer": "вода"},
        {"student_answer": None},
        {"correct_answer": "Вода"},
    ],
)
async def test_another_question_is_another_answer(world, other):
    await world.replica().explain(ASK)
    assert (await world.replica().explain(dataclasses.replace(ASK, **other))).source == "llm"


async def test_white_space_makes_no_other_question(world):
    await world.replica().explain(ASK)
    same = dataclasses.replace(ASK, question="  Какая \n буква? ")
    assert (await world.replica().explain(same)).source == "cache"


@pytest.mark.parametrize("healthy", [True, False])
async def test_an_edited_rule_never_serves_an_old_explanation(world, healthy):
    await world.replica().explain(ASK)
    world.rule = dataclasses.replace(world.rule, version=2, text="Правило изменилось.")
    if not healthy:
        world.model.error = LanguageModelUnavailable("down")
    explanation = await world.replica().explain(ASK)
    if healthy:
        assert explanation.source == "llm" and world.model.calls == 2
    else:
        assert summary(explanation) == ("rules", True)
        assert "Правило изменилось." in explanation.text


@pytest.mark.parametrize("change", ["ttl", "prompt", "model", "version"])
@pytest.mark.parametrize("healthy", [True, False])
async def test_what_is_no_longer_fresh_stands_in_when_the_model_fails(world, change, healthy):
    await world.replica().explain(ASK)
    more = {}
    if change == "ttl":
        more["fresh_seconds"] = 0
    elif change == "prompt":
        more["system"] = "Объясняй иначе."
    elif change == "model":
        world.model.fingerprint = "gpt://f/pro/latest 0.2 700"
    else:
        world.kept.version = "v2"
    if not healthy:
        world.model.error = LanguageModelUnavailable("down")
    explanation = await world.replica(**more).explain(ASK)
    assert explanation.text == world.model.text
    expected = ("llm", False) if healthy else ("stale-cache", True)
    assert summary(explanation) == expected
    assert world.model.calls == 2


@pytest.mark.parametrize("how", [True, False])
async def test_without_anything_else_the_rules(world, how):
    world.model.error = LanguageModelUnavailable("down")
    told = ""
    world.model.text = ""
    if how:
        told, explanation = await streamed(world.replica())
        assert told == explanation.text
    else:
        explanation = await world.replica().explain(ASK)
    assert summary(explanation) == ("rules", True)
    assert explanation.text == world.rules()
    assert explanation.model is None and explanation.usage is None


async def test_a_model_that_is_off_asks_nobody_and_nothing_kept(world):
    await world.replica().explain(ASK)
    explanation = await world.replica(DisabledLanguageModel()).explain(ASK)
    assert summary(explanation) == ("rules", False)


async def test_beyond_the_budget_it_goes_on_for_the_next_pupil(world):
    world.model.go.clear()
    service = world.replica(budget=0.05)
    first = await service.explain(ASK)
    assert summary(first) == ("rules", True)
    assert world.model.deadlines.begin < world.model.deadlines.end
    world.model.go.set()
    await until(lambda: world.kept.answers)
    second = await service.explain(ASK)
    assert summary(second) == ("cache", False)
    assert (world.model.calls, world.model.cancelled) == (1, 0)
    await service.close()


async def test_those_who_wait_for_the_model_give_up_one_after_the_other(world, monkeypatch):
    # The third one of a crowd leaves the whole budget to the answering.
    monkeypatch.setattr(answer_chain, "ANSWERING_SECONDS", PATIENCE / 3)
    monkeypatch.setattr(answer_chain, "MOST_ANSWERING_SECONDS", PATIENCE)
    world.model.go.clear()
    service = world.replica()
    questions = [dataclasses.replace(ASK, question=f"Вопрос {number}?") for number in range(2)]
    early = [asyncio.create_task(service.explain(question)) for question in questions]
    await until(lambda: world.model.calls == 2)
    assert summary(await service.explain(ASK)) == ("rules", True)
    assert not any(task.done() for task in early)
    world.model.go.set()
    assert [(await task).source for task in early] == ["llm", "llm"]
    # Nobody waits any more: all of the budget but a moment is the model's.
    assert (await service.explain(dataclasses.replace(ASK, question="Ещё?"))).source == "llm"
    await service.close()


async def test_the_time_counts_from_when_the_request_came_in(world):
    world.model.go.clear()
    service = world.replica()
    explanation = await service.explain(ASK, time.monotonic() - PATIENCE + 0.1)
    assert summary(explanation) == ("rules", True)
    assert explanation.timings_ms["total"] > 1000 * (PATIENCE - 1)
    await service.close()


async def test_a_stream_that_is_cut_by_the_budget_ends_in_the_rules(world):
    world.model.go.clear()
    service = world.replica(budget=0.2)
    told, explanation = await streamed(service)
    half = world.model.text[: len(world.model.text) // 2]
    assert told == explanation.text
    assert told.startswith(half + "…")
    assert UNFINISHED in told and world.rule.text in told
    assert summary(explanation) == ("llm", True)
    assert explanation.truncated
    world.model.go.set()
    await until(lambda: world.kept.answers)
    assert (await service.explain(ASK)).text == world.model.text
    await service.close()


@pytest.mark.parametrize("error", [LanguageModelUnavailable("broken_off"), RuntimeError("bug")])
async def test_a_stream_that_breaks_off_ends_in_the_rules(world, error):
    world.model.error = error
    told, explanation = await streamed(world.replica())
    assert told == explanation.text and UNFINISHED in told
    assert summary(explanation) == ("llm", True)


async def test_a_listener_that_goes_away_cancels_the_model(world):
    world.model.go.clear()
    service = world.replica()
    parts = service.stream(ASK)
    await anext(parts)
    assert isinstance(await anext(parts), Delta)
    await parts.aclose()
    await until(lambda: world.model.cancelled == 1)
    await until(lambda: not world.kept.flights)
    # The next one is not handed the one that is being cancelled.
    world.model.go.set()
    assert (await service.explain(ASK)).source == "llm"


async def test_not_while_another_one_listens(world):
    world.model.go.clear()
    service = world.replica()
    parts = service.stream(ASK)
    await anext(parts)
    await anext(parts)
    other = asyncio.create_task(service.explain(ASK))
    while service._generations._running:
        (generation,) = service._generations._running.values()
        if generation._listeners == 2:
            break
        await asyncio.sleep(0.002)
    await parts.aclose()
    world.model.go.set()
    assert (await other).source == "llm"
    assert (world.model.calls, world.model.cancelled) == (1, 0)


async def test_one_generation_for_all_who_ask_the_same_here(world):
    service = world.replica()
    world.model.go.clear()
    tasks = [asyncio.create_task(service.explain(ASK)) for _ in range(20)]
    await until(lambda: world.model.calls)
    world.model.go.set()
    explanations = await asyncio.gather(*tasks)
    assert {one.text for one in explanations} == {world.model.text}
    assert world.model.calls == 1


async def test_one_generation_for_all_replicas(world):
    world.model.go.clear()
    replicas = [world.replica() for _ in range(4)]
    tasks = [asyncio.create_task(one.explain(ASK)) for one in replicas for _ in range(3)]
    await until(lambda: world.model.calls)
    world.model.go.set()
    explanations = await asyncio.gather(*tasks)
    assert world.model.calls == 1
    sources = sorted(one.source for one in explanations)
    assert sources == ["cache"] * 9 + ["llm"] * 3
    assert {one.text for one in explanations} == {world.model.text}


async def test_a_failure_is_not_repeated_by_those_who_waited(world):
    world.model.go.clear()
    world.model.error = LanguageModelUnavailable("refused", lasting=True)
    tasks = [asyncio.create_task(world.replica().explain(ASK)) for _ in range(4)]
    await until(lambda: world.model.calls)
    world.model.go.set()
    explanations = await asyncio.gather(*tasks)
    assert {summary(one) for one in explanations} == {("rules", True)}
    assert world.model.calls == 1


@pytest.mark.parametrize("fault", ["away", "hangs"])
async def test_redis_fails_nothing(world, fault):
    setattr(world.kept, fault, True)
    explanation = await world.replica().explain(ASK)
    assert summary(explanation) == ("llm", False)
    world.model.error = LanguageModelUnavailable("down")
    assert (await world.replica().explain(ASK)).source == "rules"


@pytest.mark.parametrize("how", [True, False])
@pytest.mark.parametrize("fault", ["model", "redis", "both"])
async def test_the_budget_holds(world, how, fault):
    if fault != "redis":
        world.model.go.clear()
    if fault != "model":
        world.kept.hangs = True
    service = world.replica(budget=0.1)
    started = time.monotonic()
    explanation = (await streamed(service))[1] if how else await service.explain(ASK)
    # Generous: nothing here waits for anything but the budget.
    assert time.monotonic() - started < 5
    assert explanation.text
    await service.close()


async def test_what_goes_on_ends_with_the_process(world):
    world.model.go.clear()
    service = world.replica(budget=0.05)
    await service.explain(ASK)
    await service.close()
    assert world.model.cancelled == 1
    assert not world.kept.flights
