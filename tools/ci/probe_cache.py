"""Asks a remote cache over HTTP whether it answers and whether it takes uploads.

The address comes on stdin, the answer is one line: `writable`, `read-only WHY` or `absent WHY`.
Runs under the host's python3, before Bazel: the standard library alone. gRPC caches are not asked.
"""

import base64
import hashlib
import sys
import urllib.error
import urllib.parse
import urllib.request

# Seconds; a cache that is slower than this would slow every action down.
TIMEOUT = 5
PROBE = b"explanation-service"


def request(address, path, method, data=None):
    """The status of an answer; raises OSError when there is none."""
    parts = urllib.parse.urlsplit(address)
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    url = urllib.parse.urlunsplit((parts.scheme, host, parts.path.rstrip("/") + path, "", ""))
    asked = urllib.request.Request(url, data=data, method=method)
    if parts.username:
        login = (
            f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        )
        asked.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def probe(address):
    """The line for an address."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme in ("grpc", "grpcs", "unix"):
        return "writable"
    where = f"at {parts.hostname}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "absent is no http, https or grpc address"
    digest = hashlib.sha256(PROBE).hexdigest()
    try:
        status = request(address, f"/cas/{digest}", "GET")
        if status not in (200, 204, 404):
            return f"absent {where} answers {status}"
        status = request(address, f"/cas/{digest}", "PUT", PROBE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"absent {where} does not answer ({' '.join(str(reason).split())})"
    if status >= 300:
        return f"read-only {where} refuses uploads ({status})"
    return "writable"


if __name__ == "__main__":
    print(probe(sys.stdin.readline().strip()))
