from __future__ import annotations

import socket

import pytest

from explanation_service.standalone import ports
from explanation_service.standalone.faults import CannotStart


def test_ports_are_free_different_and_below_the_ephemeral_ones() -> None:
    found = ports.free_ports(8)
    assert len(set(found)) == 8
    assert all(20_000 <= port < 32_768 for port in found)
    assert all(ports.is_free(port) for port in found)


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert not ports.is_free(server.getsockname()[1])


def test_none_left_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port, host: False)
    with pytest.raises(CannotStart, match="No free port"):
        ports.free_ports(1)
