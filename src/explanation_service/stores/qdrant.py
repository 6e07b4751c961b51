"""Connections to Qdrant over REST, and the translation of what its client raises."""

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
from explanation_service.stores.errors import (
    CollectionMissing,
    StoreRejected,
    StoreUnavailable,
    one_line,
)

# Seconds. A search serves somebody who waits; a write with wait=true may meet a merge of segments.
SEARCH_TIMEOUT = 2
WRITE_TIMEOUT = 30

# Refusals that concern this very request; everything else is the server's state.
_REJECTED = {400, 409, 413, 422}


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
        if error.status_code == 404:
            raise CollectionMissing(collection) from error
        if error.status_code in _REJECTED:
            raise StoreRejected("qdrant", one_line(error)) from error
        raise StoreUnavailable("qdrant", one_line(error)) from error
    except ResponseHandlingException as error:
        source = error.source
        if isinstance(source, ValidationError):
            detail = "the answer is none of Qdrant's"
        else:
            detail = f"{type(source).__name__}: {one_line(source)}"
        raise StoreUnavailable("qdrant", detail) from error
    except TimeoutError as error:
        raise StoreUnavailable("qdrant", "no answer in time") from error
    except (ApiException, QdrantException, httpx.HTTPError, OSError) as error:
        raise StoreUnavailable("qdrant", one_line(error)) from error
    except ValidationError as error:
        # The client checks requests with pydantic before it sends them.
        raise StoreRejected("qdrant", one_line(error)) from error
