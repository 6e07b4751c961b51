"""What can go wrong, each as the HTTP status and the words that Qdrant itself uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# qdrant-edge raises plain `Exception`; these openings are trouble on our side, not in the request.
_ENGINE_TROUBLE = ("Service ", "IO ", "I/O ", "Out of memory", "No space", "Cancelled")


class Fault(Exception):
    """An answer other than 2xx: HTTP status and the text of Qdrant's `status.error`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadInput(Fault):
    """400: the request asks for something that cannot be."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, f"Wrong input: {detail}")


class BadBody(Fault):
    """400: the body is not what the route takes."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, f"Format error in JSON body: {detail}")


class NotServed(BadInput):
    """400: real Qdrant can do it, this server cannot; never ignored in silence."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not served by the embedded engine")


class NotFound(Fault):
    """404 for a collection, an alias or a point."""

    def __init__(self, detail: str) -> None:
        super().__init__(404, f"Not found: {detail}")


class CollectionMissing(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"Collection `{name}` doesn't exist!")


class CollectionExists(Fault):
    def __init__(self, name: str) -> None:
        super().__init__(409, f"Wrong input: Collection `{name}` already exists!")


class EngineFault(Fault):
    """500: the engine failed although the request was fine; a client may try again."""

    def __init__(self, detail: str) -> None:
        super().__init__(500, f"Service internal error: {detail}")


@contextmanager
def engine_faults() -> Iterator[None]:
    """Turn what the engine raises within the block into a Fault."""
    try:
        yield
    except Fault:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise EngineFault(str(error)) from error
    except Exception as error:
        detail = str(error)
        if detail.startswith(_ENGINE_TROUBLE):
            raise EngineFault(detail) from error
        raise BadInput(detail) from error
