"""Who may ask and who may write: API keys, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from explanation_service.api.problems import ApiProblem
from explanation_service.settings import Settings
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

_BEARER = HTTPBearer(auto_error=False, description="One of API_KEYS or ADMIN_API_KEYS")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same")

_ANONYMOUS = "anonymous"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="explanation-service"'}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose request it is: a digest of the key, never the key; "anonymous" without one."""

    id: str
    admin: bool

    @property
    def anonymous(self) -> bool:
        """Whether it came without a key that is known."""
        return self.id == _ANONYMOUS


class ApiKeys:
    """The keys of the settings; without any, everybody may do everything.

    With API_KEYS alone nobody may write: a key that was handed out for asking must not become
    one for editing because a setting was forgotten.
    """

    def __init__(self, keys: Sequence[str], admin_keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        self._admin_keys = [key.encode() for key in admin_keys]

    @classmethod
    def of(cls, settings: Settings) -> ApiKeys:
        return cls(
            [key.get_secret_value() for key in settings.api_keys],
            [key.get_secret_value() for key in settings.admin_api_keys],
        )

    def warn_when_open(self) -> None:
        """One line at the start where no key is set."""
        if not self._keys and not self._admin_keys:
            log.warning("no API keys are set: everybody may ask and write (API_KEYS)")
        elif not self._keys:
            log.warning("API_KEYS is empty: everybody may ask; writes need an admin key")

    def reader(self, presented: str | None) -> Principal:
        """Who may ask; raises ApiProblem 401."""
        principal = self._identify(presented)
        if principal is not None:
            return principal
        if not self._keys:
            return Principal(_ANONYMOUS, admin=not self._admin_keys)
        raise ApiProblem(401, _why(presented), headers=_CHALLENGE)

    def writer(self, presented: str | None) -> Principal:
        """Who may write; raises ApiProblem 401 or 403."""
        principal = self._identify(presented)
        if principal is None and (self._keys or self._admin_keys):
            raise ApiProblem(401, _why(presented), headers=_CHALLENGE)
        principal = principal or Principal(_ANONYMOUS, admin=True)
        if not principal.admin:
            raise ApiProblem(403, "This needs one of the keys in ADMIN_API_KEYS.")
        return principal

    def _identify(self, presented: str | None) -> Principal | None:
        if presented is None:
            return None
        key = presented.encode()
        # Lists and not generators: the time must not tell which key was compared last.
        admin = any([hmac.compare_digest(key, known) for known in self._admin_keys])
        known = any([hmac.compare_digest(key, known) for known in self._keys])
        if not (admin or known):
            return None
        return Principal(hashlib.sha256(key).hexdigest()[:16], admin)


def _why(presented: str | None) -> str:
    if presented is None:
        return "An API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY."
    return "This API key is not known."


def key_in(headers: Mapping[str, str]) -> str | None:
    """The key of a request; a bearer token goes before X-API-Key."""
    scheme, token = get_authorization_scheme_param(headers.get("authorization"))
    if scheme.lower() == "bearer" and token:
        return token
    return headers.get("x-api-key")


# Of the functions below none waits for anything; but FastAPI runs a plain one in a thread, 0.1 ms a
# request each.
async def presented_key(
    request: Request,
    _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    _header: Annotated[str | None, Security(_HEADER)],
) -> str | None:
    """The key of the request; the two schemes are there for the OpenAPI document."""
    return key_in(request.headers)


PresentedKey = Annotated[str | None, Depends(presented_key)]


async def require_reader(request: Request, key: PresentedKey) -> Principal:
    """Dependency of every route that reads."""
    keys: ApiKeys = request.app.state.api_keys
    return keys.reader(key)


async def require_writer(request: Request, key: PresentedKey) -> Principal:
    """Dependency of every route that writes."""
    keys: ApiKeys = request.app.state.api_keys
    return keys.writer(key)


Reader = Annotated[Principal, Depends(require_reader)]
