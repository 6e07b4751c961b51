from __future__ import annotations

import json
import shlex

from explanation_service.content.template import TemplateDraft
from explanation_service.standalone.examples import curl_commands


def test_three_lines_that_a_shell_takes_apart_again() -> None:
    lines = curl_commands("http://127.0.0.1:1", {"X-API-Key": "it's; a key"})
    assert len(lines) == 3
    for line, path in zip(lines, ("/v1/rag/search", "/v1/explanations", "/v1/t"), strict=True):
        words = shlex.split(line)
        assert words[0] == "curl"
        assert any(word.startswith(f"http://127.0.0.1:1{path}") for word in words)
        assert "X-API-Key: it's; a key" in words
        assert isinstance(json.loads(words[-1]), dict)
        assert "\n" not in line


def test_the_template_is_one_that_the_service_takes() -> None:
    TemplateDraft.model_validate_json(shlex.split(curl_commands("http://h", {})[2])[-1])
