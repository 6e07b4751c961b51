from __future__ import annotations

import math
from pathlib import Path

import pytest
from prometheus_client.utils import floatToGoString

from explanation_service.telemetry import metrics
from explanation_service.telemetry.memory_limit import memory_limit_bytes


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.max", "536870912\n", 536870912),
        ("memory.max", "max\n", math.inf),
        ("memory/memory.limit_in_bytes", "2147483648\n", 2147483648),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", math.inf),
        ("memory/other", "", math.inf),
    ],
)
def test_the_limit_is_the_cgroup_s(tmp_path: Path, file: str, text: str, limit: float) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert memory_limit_bytes(tmp_path) == limit


def test_it_is_exposed_beside_what_is_used() -> None:
    text = metrics.render()[0].decode()
    assert f"process_memory_limit_bytes {floatToGoString(memory_limit_bytes())}" in text
    assert "process_resident_memory_bytes" in text
