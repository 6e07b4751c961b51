"""What schemathesis has to know about this API; it loads this file by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def json_lines(_ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    body = value if isinstance(value, bytes) else str(value).encode(errors="replace")
    # It makes binary values without a look at the pattern, which says that there is a line.
    return body if body.strip() else b"{}"


@schemathesis.hook
def before_call(_ctx: schemathesis.HookContext, case: schemathesis.Case, _kwargs: Any) -> None:
    # A key belongs to one request, and generated ones repeat: what 422 says of that is right.
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and key:
        case.headers["Idempotency-Key"] = f"{key[:200]}{uuid4().hex}"
