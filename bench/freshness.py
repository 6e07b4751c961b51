"""How soon an edit is searchable, and a deleted rule gone, over HTTP on a whole running service.

    ./bazelw run //bench:freshness [-- --edits 50]

Gate: p95 from PUT's answer to searchable at most 2 s, each deletion gone within 2 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import httpx

from bench.standalone_run import standalone

LIMIT_SECONDS = 2.0
# A letter to the next word's place: pronounceable, in no rule of the sample book.
_SYLLABLES = ("бра", "ву", "гло", "дзе", "жму", "кри", "лю", "мне", "пту", "сха")


def invented_word(number: int) -> str:
    """A word that no other edit uses, so that only this edit can be the answer."""
    return "".join(_SYLLABLES[int(digit)] for digit in f"{number:03d}")


def hits(client: httpx.Client, query: str) -> dict[str, str]:
    """template_id -> passage text of a search."""
    answer = client.post("/v1/rag/search", json={"query": query, "limit": 5})
    answer.raise_for_status()
    return {hit["template_id"]: hit["text"] for hit in answer.json()["hits"]}


def seconds_until(client: httpx.Client, template_id: str, word: str, wanted: bool) -> float:
    """Polls the search; raises TimeoutError after 30 s."""
    started = time.monotonic()
    while time.monotonic() - started < 30:
        if (word in hits(client, word).get(template_id, "")) == wanted:
            return time.monotonic() - started
        time.sleep(0.01)
    raise TimeoutError(f"{template_id} with {word}: not {'found' if wanted else 'gone'} in 30 s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=50)
    edits = parser.parse_args().edits
    appeared: list[float] = []
    vanished: list[float] = []
    with standalone() as service, httpx.Client(base_url=service.url, timeout=10) as client:
        print(f"standalone: {service.seconds_to_ready:.1f} s to READY with an empty data folder")
        for number in range(edits):
            template_id, word = f"bench-{number % 10}", invented_word(number)
            body = f"Слово {word} пишется так, как слышится. Запомните: {word}."
            draft = {"title": f"Правописание слова {word}", "body": body}
            client.put(f"/v1/templates/{template_id}", json=draft).raise_for_status()
            appeared.append(seconds_until(client, template_id, word, wanted=True))
        for number in range(max(edits - 10, 0), edits):
            template_id, word = f"bench-{number % 10}", invented_word(number)
            client.delete(f"/v1/templates/{template_id}").raise_for_status()
            vanished.append(seconds_until(client, template_id, word, wanted=False))
    p95 = statistics.quantiles(appeared, n=20)[-1]
    print(
        f"PUT to searchable, {edits} edits: median {statistics.median(appeared):.3f} s, "
        f"p95 {p95:.3f} s, longest {max(appeared):.3f} s"
    )
    print(
        f"DELETE to gone, {len(vanished)}: median {statistics.median(vanished):.3f} s, "
        f"longest {max(vanished):.3f} s"
    )
    return int(p95 > LIMIT_SECONDS or max(vanished) > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
