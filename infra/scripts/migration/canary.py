"""A test template: written through the API, it has to be found through the API, and goes again."""

from __future__ import annotations

import secrets

from infra.scripts.migration.service import Service

# One id for all, so that a run that was killed leaves one template at most, which the next removes.
CANARY = "migration-canary"


class Canary:
    """One at a time. It is asked for by the words alone: a passage gets its words and its vector in
    one write to Qdrant, and nothing but a worker makes that write."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._word = ""

    @property
    def out(self) -> bool:
        """Whether one is on its way."""
        return bool(self._word)

    def write(self) -> str | None:
        """What is wrong, in a sentence. The word is new each time: what is found is this text."""
        word = "канарейка" + "".join(secrets.choice("бвгджзклмнпрст") for _ in range(12))
        text = {
            "title": f"Проверка переезда {word}",
            "body": f"Служебная запись, не правило: {word}. Она исчезнет через несколько секунд.",
            "tags": ["migration"],
        }
        answer = self._service.request("PUT", f"/v1/templates/{CANARY}", text)
        if answer.status not in (200, 201):
            return f"PUT answers {answer.status or 'nothing'}: {answer.text[:200]}"
        self._word = word
        return None

    def found(self) -> bool:
        """Whether a search has it."""
        query = {"query": self._word, "limit": 3, "mode": "lexical"}
        answer = self._service.request("POST", "/v1/rag/search", query)
        if answer.status != 200:
            return False
        return any(
            hit["template_id"] == CANARY and self._word in hit["title"]
            for hit in answer.json()["hits"]
        )

    def remove(self) -> bool:
        """Whether none is left in the rule book."""
        self._word = ""
        answer = self._service.request("DELETE", f"/v1/templates/{CANARY}")
        return answer.status in (204, 404)
