from __future__ import annotations

from types import SimpleNamespace

import pytest

from explanation_service.indexing import heap


def test_two_heaps(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []
    libc = SimpleNamespace(mallopt=lambda *given: calls.append(given))
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: libc)
    heap.limit_heaps()
    assert calls == [(-8, 2)]


def test_a_libc_without_heaps_by_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: SimpleNamespace())
    heap.limit_heaps()
