"""Requests as a platform, its editors, probes and strangers send them, the same ones each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.http_load import get, post, with_json

# Templates that editors write in turns: their number stays bounded, as that of the answers.
_TEMPLATES = 200


@dataclass(frozen=True, slots=True)
class MixedRequest:
    """`statuses`: any other one is a fault."""

    kind: str
    content: bytes
    statuses: frozenset[int]


class RequestMix:
    """`questions` are asked again after the last one; every third explanation is an old one."""

    def __init__(self, questions: Sequence[str], seed: int = 1) -> None:
        self._questions = questions
        self._draw = random.Random(seed)
        self._asked = 0
        self._makers: dict[Callable[[], MixedRequest], int] = {
            self._search: 40,
            self._explanation: 15,
            self._stream: 5,
            self._write: 8,
            self._deletion: 2,
            self._reading: 12,
            self._looking: 6,
            self._mistake: 12,
        }

    def requests(self, count: int) -> Iterator[MixedRequest]:
        """So many, drawn by their shares."""
        makers, shares = list(self._makers), list(self._makers.values())
        for maker in self._draw.choices(makers, shares, k=count):
            yield maker()

    def _search(self) -> MixedRequest:
        body: dict[str, Any] = {"query": self._question(), "limit": self._draw.choice([1, 5, 20])}
        if self._draw.random() < 0.2:
            body["filters"] = {"exam": "ege"}
        return _made("search", post("/v1/rag/search", body), 200)

    def _explanation(self) -> MixedRequest:
        return _made("explanation", post("/v1/explanations", self._ask()), 200)

    def _stream(self) -> MixedRequest:
        return _made("stream", post("/v1/explanations", {**self._ask(), "stream": True}), 200)

    def _write(self) -> MixedRequest:
        text = " ".join(self._draw.choices(self._questions, k=self._draw.randint(3, 60)))
        draft = {"title": "Правило", "body": text, "topic": "bench", "exam": "ege"}
        return _made("write", with_json("PUT", self._template(), draft), 200, 201)

    def _deletion(self) -> MixedRequest:
        request = f"DELETE {self._template()} HTTP/1.1\r\nHost: bench\r\n\r\n"
        return _made("write", request.encode(), 204, 404)

    def _reading(self) -> MixedRequest:
        paths = [self._template(), "/v1/templates?limit=20", "/v1/rag/status"]
        return _made("reading", get(self._draw.choice(paths)), 200, 404)

    def _looking(self) -> MixedRequest:
        return _made("probe", get(self._draw.choice(["/health", "/health/ready", "/metrics"])), 200)

    def _mistake(self) -> MixedRequest:
        long = {"question": "Почему? " * 1000}
        requests = [
            get(f"/nowhere/{self._draw.randrange(10**9)}"),
            get(f"/v1/templates/none-{self._draw.randrange(10**9)}"),
            post("/v1/rag/search", {"limit": 5}),
            post("/v1/explanations", long),
            with_json("PATCH", "/v1/rag/search", {}),
            post("/v1/templates", [None] * 100),
        ]
        return _made("mistake", self._draw.choice(requests), 400, 404, 405, 422)

    def _ask(self) -> dict[str, Any]:
        if self._draw.random() < 1 / 3:
            return {"question": self._questions[self._draw.randrange(20)]}
        return {"question": self._question(), "student_answer": "вада", "correct_answer": "вода"}

    def _question(self) -> str:
        self._asked += 1
        return self._questions[self._asked % len(self._questions)]

    def _template(self) -> str:
        return f"/v1/templates/bench-{self._draw.randrange(_TEMPLATES)}"


def _made(kind: str, content: bytes, *statuses: int) -> MixedRequest:
    return MixedRequest(kind, content, frozenset(statuses))
