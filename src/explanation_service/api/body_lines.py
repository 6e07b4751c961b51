"""The lines of a request's body, as they come in."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def body_lines(
    chunks: AsyncIterator[bytes], max_bytes: int
) -> AsyncIterator[tuple[int, bytes | None]]:
    """Each line that holds something, with its number from 1; None for one of over `max_bytes`,
    which is not kept in memory."""
    number = 1
    line: bytearray | None = bytearray()
    async for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        line = _longer(line, first, max_bytes)
        for beginning in rest:
            if line is None or line.strip():
                yield number, None if line is None else bytes(line)
            number += 1
            line = _longer(bytearray(), beginning, max_bytes)
    if line is None or line.strip():
        yield number, None if line is None else bytes(line)


def _longer(line: bytearray | None, more: bytes, max_bytes: int) -> bytearray | None:
    if line is None or len(line) + len(more) > max_bytes:
        return None
    line += more
    return line
