"""Free TCP ports that stay ours over restarts of the process that listens."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from explanation_service.standalone.faults import CannotStart

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 20_000
_DEFAULT_EPHEMERAL = 32_768
_ATTEMPTS = 200


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """`count` different ports that nobody listens on now.

    Below the ephemeral range: while a store is down its clients try again and again, and one of
    them can be given that very port for its own end, connect to itself and keep the store out.
    """
    candidates = random.sample(range(_LOWEST, _first_ephemeral()), _ATTEMPTS)
    found: list[int] = []
    for port in candidates:
        if len(found) == count:
            break
        if is_free(port, host):
            found.append(port)
    if len(found) < count:
        raise CannotStart(f"No free port was found on {host}.")
    return found


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections in TIME_WAIT are no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _first_ephemeral() -> int:
    try:
        first = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _DEFAULT_EPHEMERAL
    return first if first > _LOWEST + _ATTEMPTS else _DEFAULT_EPHEMERAL
