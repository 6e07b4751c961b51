"""What is wrong is one sentence before anything is started; what is right is a set of programs."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from explanation_service.standalone import embedded_stores, plan
from explanation_service.standalone.data_directory import DataDirectory
from explanation_service.standalone.faults import CannotStart
from explanation_service.standalone.main import main
from explanation_service.standalone.options import Options
from explanation_service.standalone.services import Addresses


@pytest.fixture(autouse=True)
def packages_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional packages and without the developer's own settings."""
    monkeypatch.setattr(embedded_stores, "find_spec", lambda name: object())
    for name in ("EMBEDDING_MODEL_PATH", "API_KEYS", "ADMIN_API_KEYS", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    return folder


def test_a_missing_model_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    status = main(["--data-dir", str(data), "--model-path", str(tmp_path / "nope")])
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert said.err.startswith("There is no model directory") and said.err.count("\n") == 1
    assert not data.exists()


def test_no_model_at_all_says_where_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="--model-path"):
        plan.check(Options(tmp_path))


def test_a_directory_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="holds no embedding model"):
        plan.check(Options(tmp_path, model_path=tmp_path))


def test_a_wrong_setting_is_named(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCH_BUDGET_MS", "soon")
    with pytest.raises(CannotStart, match="SEARCH_BUDGET_MS must be"):
        plan.check(Options(tmp_path, model_path=model))
    monkeypatch.delenv("SEARCH_BUDGET_MS")
    with pytest.raises(CannotStart, match="MONGODB_URI must be"):
        plan.check(Options(tmp_path, model_path=model, mongodb_uri="http://h"))


def test_a_taken_port_is_said(tmp_path: Path, model: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {taken}"):
            plan.check(Options(tmp_path, model_path=model, port=taken))


def test_a_missing_package_names_the_way_out(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_stores, "find_spec", lambda name: None)
    with pytest.raises(CannotStart, match="--mongodb-uri"):
        plan.check(Options(tmp_path, model_path=model))


def test_real_servers_take_the_place_of_embedded_ones(tmp_path: Path, model: Path) -> None:
    options = Options(
        tmp_path / "data",
        model_path=model,
        port=0,
        mongodb_uri="mongodb://db:1",
        redis_url="redis://cache:2",
        qdrant_url="http://index:3",
    )
    settings, directory = plan.check(options)
    with DataDirectory(options.data_dir) as data:
        drawn = plan.draw_up(options, settings, directory, data)
    assert drawn.stores == ()
    worker = drawn.services[0]
    assert worker.environment["MONGODB_URI"] == "mongodb://db:1"
    assert worker.environment["REDIS_URL"] == "redis://cache:2"
    assert worker.environment["QDRANT_URL"] == "http://index:3"
    assert worker.environment["EMBEDDING_MODEL_PATH"] == str(model)
    assert drawn.sample is not None


def test_embedded_stores_listen_on_the_loopback_only(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_stores, "find_redis", lambda folder: Path("/bin/redis-server"))
    options = Options(tmp_path / "data", model_path=model, host="0.0.0.0", sample=False)
    settings, directory = plan.check(options)
    with DataDirectory(options.data_dir) as data:
        drawn = plan.draw_up(options, settings, directory, data)
    assert [program.name for program in drawn.stores] == ["redis", "mongodb", "qdrant"]
    for program in drawn.stores:
        assert "127.0.0.1" in program.command and "0.0.0.0" not in program.command
    assert drawn.services[0].environment["WORKER_HOST"] == "127.0.0.1"
    assert drawn.services[1].environment["API_HOST"] == "0.0.0.0"
    assert drawn.addresses.api_url.startswith("http://127.0.0.1:")
    assert drawn.sample is None
    logs = [p.log for p in (*drawn.stores, *drawn.services)]
    assert len(set(logs)) == 5 and all(log.parent.name == "logs" for log in logs)


def test_the_url_of_an_ipv6_address() -> None:
    assert Addresses("", "", "", "::", 8080, 0).api_url == "http://[::1]:8080"


def test_other_commands_find_the_stores_by_a_file_of_ours_alone(
    tmp_path: Path, model: Path
) -> None:
    options = Options(tmp_path / "data", model_path=model, redis_url="redis://:a b'c@host/0")
    with pytest.raises(CannotStart, match="REDIS_URL"):
        plan.check(options)
    options = Options(tmp_path / "data", model_path=model, redis_url="redis://:a'c@host/0")
    settings, directory = plan.check(options)
    with DataDirectory(tmp_path / "data") as data:
        plan.draw_up(options, settings, directory, data)
        file = data.folder("run") / "stores.env"
        assert file.stat().st_mode & 0o777 == 0o600
        said = subprocess.run(
            ["sh", "-c", f'. "{file}"; echo "$REDIS_URL $MONGODB_URI $QDRANT_URL"'],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    assert said[0] == "redis://:a'c@host/0"
    assert said[1].startswith("mongodb://127.0.0.1:") and said[2].startswith("http://127.0.0.1:")
