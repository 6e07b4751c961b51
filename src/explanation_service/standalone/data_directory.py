"""The directory that a standalone instance owns: its marker, its lock, its folders."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path
from types import TracebackType

from explanation_service.standalone.faults import CannotStart, DataDirectoryInUse

_MARKER = "explanation-standalone.json"
_LOCK = "lock"
_FORMAT = 1
# All that this program ever makes in the directory, beside marker and lock.
_DATA = ("redis", "mongodb", "qdrant", "logs", "run")
_KEPT = ("bytecode",)


class DataDirectory:
    """A context manager: inside, the directory exists, is ours, and is locked for this process.

    Raises DataDirectoryInUse or CannotStart on entering.
    """

    def __init__(self, path: Path, fresh: bool = False) -> None:
        self.path = path.absolute()
        self._fresh = fresh
        self._lock: int | None = None

    def folder(self, name: str) -> Path:
        """One of our folders, made when absent."""
        assert name in _DATA + _KEPT
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def __enter__(self) -> DataDirectory:
        try:
            self._claim()
            self._lock = self._take_lock()
            if self._fresh:
                for name in _DATA:
                    # Raises for a symbolic link: what lies behind one was not made by us.
                    with contextlib.suppress(FileNotFoundError):
                        shutil.rmtree(self.path / name)
        except OSError as error:
            self._release()
            raise CannotStart(
                f"The data directory {self.path} cannot be used: {error.strerror or error}."
            ) from error
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._release()

    def _claim(self) -> None:
        """Only a directory that is empty or carries our marker: we delete in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        marker = self.path / _MARKER
        if marker.exists():
            return
        if any(entry.name not in (_LOCK, _MARKER) for entry in self.path.iterdir()):
            raise CannotStart(
                f"{self.path} holds files that explanation standalone did not make; "
                "name another directory with --data-dir."
            )
        marker.write_text(
            json.dumps({"made_by": "explanation standalone", "format": _FORMAT}) + "\n"
        )

    def _take_lock(self) -> int:
        lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise DataDirectoryInUse(
                f"{self.path} is in use by another explanation standalone (process {holder}); "
                "stop that one, or name another directory with --data-dir."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def _release(self) -> None:
        # The file stays: to unlink a lock file lets two processes lock two files of one name.
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
