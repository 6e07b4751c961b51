"""Health checks of the stand-in images, which have neither a shell nor their servers' clients.

    healthcheck.py redis|tcp PORT
    healthcheck.py http PORT PATH

Ends with 0 when the server on this container's loopback answers within 2 s, else with 1.
"""

import socket
import sys
import urllib.request

SECONDS = 2.0


def answers(kind: str, port: int, path: str = "/") -> bool:
    """Whether the server does what a client of it would want first."""
    if kind == "http":
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as response:
            return bool(response.status == 200)
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        if kind == "tcp":
            return True
        connection.settimeout(SECONDS)
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[0] not in ("redis", "tcp", "http"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return 0 if answers(arguments[0], int(arguments[1]), *arguments[2:3]) else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
