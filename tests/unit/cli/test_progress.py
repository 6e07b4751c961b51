"""Progress where nobody watches."""

from __future__ import annotations

from explanation_service.cli import progress


def test_lines_and_no_bar_without_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.0)
    with progress.Progress(4, "templates") as counting:
        counting.advance(1)
        counting.advance(3)
    assert capsys.readouterr().err.splitlines() == ["1 of 4 templates", "4 of 4 templates"]


def test_short_work_is_silent(capsys):
    with progress.Progress(4, "templates") as counting:
        counting.advance(4)
    assert capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress.Progress(4, "templates") as counting:
        counting.advance(4)
    assert "4/4" in capsys.readouterr().err


def test_lines_with_rate_and_time_left_go_on_from_an_earlier_run(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_EVERY", 0.0)
    moments = iter([100.0, 100.0, 110.0, 110.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(moments))
    with progress.Progress(150, "templates", done=50, with_rate=True) as counting:
        counting.advance(20)
    assert capsys.readouterr().err == "70 of 150 templates, 2.0/s, 00:40 left\n"
