"""Qdrant's own client for those who write, and the translation of what it raises.

Reading needs none of it (`stores.qdrant_rest`), and the API, which only reads, does not have it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from pydantic import ValidationError
from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import (
    ApiException,
    ResponseHandlingException,
    UnexpectedResponse,
)

from explanation_service.settings import Settings, SettingsError
from explanation_service.stores.errors import StoreRejected, StoreUnavailable, one_line
from explanation_service.stores.qdrant_rest import not_qdrants, refusal

# Seconds: a write with wait=true may meet a merge of segments.
WRITE_TIMEOUT = 30


def connect_qdrant(settings: Settings) -> AsyncQdrantClient:
    """A client that connects on first use; raises SettingsError for an address it cannot read."""
    key = settings.qdrant_api_key
    with warnings.catch_warnings():
        # "Api key is used with an insecure connection": inside of a compose network it is.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return AsyncQdrantClient(
                url=settings.qdrant_url,
                api_key=None if key is None else key.get_secret_value(),
                prefer_grpc=False,
                # It would ask for the server's version in a thread of its own at each start.
                check_compatibility=False,
                timeout=WRITE_TIMEOUT,
            )
        except ValueError:
            pass
    raise SettingsError("QDRANT_URL must be an address such as http://host:6333.")


@contextmanager
def translated_errors(collection: str) -> Iterator[None]:
    """Within the block, what the client raises leaves as one of `stores.errors`."""
    try:
        yield
    except UnexpectedResponse as error:
        # The client says None for an answer without a status.
        raise refusal(error.status_code or 0, one_line(error), collection) from error
    except ResponseHandlingException as error:
        source = error.source
        if isinstance(source, ValidationError):
            raise not_qdrants() from error
        detail = f"{type(source).__name__}: {one_line(source)}"
        raise StoreUnavailable("qdrant", detail) from error
    except TimeoutError as error:
        raise StoreUnavailable("qdrant", "no answer in time") from error
    except (ApiException, QdrantException, httpx.HTTPError, OSError) as error:
        raise StoreUnavailable("qdrant", one_line(error)) from error
    except ValidationError as error:
        # The client checks requests with pydantic before it sends them.
        raise StoreRejected("qdrant", one_line(error)) from error
