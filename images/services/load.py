"""Loads all stand-in images into the container engine: ./bazelw run //images/services:load"""

import subprocess
import sys
from pathlib import Path

SERVICES = ("mongodb", "prometheus", "qdrant", "redis", "yandexgpt")


def main() -> int:
    for name in SERVICES:
        status = subprocess.run([Path("images/services", f"{name}_load").absolute()]).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
