"""Commands to paste: the first things to try on a new instance."""

from __future__ import annotations

import json
import shlex
from typing import Any

_QUESTION = "Как проверить безударную гласную в корне слова?"
_TEMPLATE = {
    "title": "Моё правило",
    "body": "Слова «до свидания» пишутся раздельно, с буквой «и» в корне.",
    "topic": "орфография",
}


def curl_commands(url: str, headers: dict[str, str]) -> list[str]:
    """A search, an explanation and a new template, each one line for a POSIX shell."""
    return [
        _curl("POST", f"{url}/v1/rag/search", headers, {"query": _QUESTION, "limit": 3}),
        _curl("POST", f"{url}/v1/explanations", headers, {"question": _QUESTION}),
        _curl("PUT", f"{url}/v1/templates/my-first-rule", headers, _TEMPLATE),
    ]


def _curl(method: str, url: str, headers: dict[str, str], body: dict[str, Any]) -> str:
    words = ["curl", "-sS", "-X", method, url]
    for name, value in {**headers, "Content-Type": "application/json"}.items():
        words += ["-H", f"{name}: {value}"]
    words += ["-d", json.dumps(body, ensure_ascii=False)]
    return shlex.join(words)
