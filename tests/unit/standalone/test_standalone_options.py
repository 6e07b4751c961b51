from __future__ import annotations

from pathlib import Path

import pytest

from explanation_service.standalone.options import default_data_dir, parse


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    options = parse([])
    assert options.data_dir == tmp_path / "explanation-service"
    assert (options.host, options.port, options.sample, options.fresh) == (
        "127.0.0.1",
        0,
        True,
        False,
    )


def test_a_relative_data_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / ".local/share/explanation-service"


def test_every_option(tmp_path: Path) -> None:
    options = parse(
        [
            *("--data-dir", str(tmp_path), "--fresh", "--port", "8080", "--model-path", "m"),
            *("--mongodb-uri", "mongodb://h", "--no-sample", "--log-level", "debug"),
        ]
    )
    assert options.fresh and not options.sample
    assert options.model_path == Path("m")
    assert options.mongodb_uri == "mongodb://h"
    assert options.log_level == "DEBUG"


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "x"], ["--nope"]])
def test_wrong_arguments_end_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        parse(arguments)
    assert ending.value.code == 2
