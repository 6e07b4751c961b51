from __future__ import annotations

from pathlib import Path

import pytest

from explanation_service.indexing import threads


@pytest.mark.parametrize(
    ("text", "limit"),
    [("200000 100000", 2.0), ("50000 100000", 0.5), ("max 100000", None), ("nonsense", None)],
)
def test_quota_of_cgroup_2(tmp_path: Path, text: str, limit: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert threads.cgroup_cpu_limit(tmp_path) == limit


def test_quota_of_cgroup_1(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert threads.cgroup_cpu_limit(tmp_path) == 3.0
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1")
    assert threads.cgroup_cpu_limit(tmp_path) is None


def test_no_cgroup_is_no_limit(tmp_path: Path) -> None:
    assert threads.cgroup_cpu_limit(tmp_path) is None
    assert threads.usable_cpus(tmp_path) >= 1


def test_a_fraction_of_a_cpu_is_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert threads.usable_cpus(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("350000 100000")
    assert threads.usable_cpus(tmp_path) == 3


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No thread variable is set, and none stays set."""
    for name in (*threads.THREAD_VARIABLES, "TOKENIZERS_PARALLELISM", "WORKER_ROLE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def test_the_operators_number_of_threads_wins(unset: pytest.MonkeyPatch) -> None:
    unset.setenv("OMP_NUM_THREADS", "7")
    unset.setenv("WORKER_ROLE", "query")
    assert threads.limit_math_threads() == 7
    assert threads.os.environ["MKL_NUM_THREADS"] == "7"


def test_a_worker_for_queries_has_one_thread(unset: pytest.MonkeyPatch) -> None:
    unset.setattr(threads, "usable_cpus", lambda: 8)
    unset.setenv("WORKER_ROLE", "query")
    assert threads.limit_math_threads() == 1
    assert threads.os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("role", ["all", "index", None])
def test_other_workers_have_a_thread_for_each_cpu(
    unset: pytest.MonkeyPatch, role: str | None
) -> None:
    unset.setattr(threads, "usable_cpus", lambda: 8)
    if role:
        unset.setenv("WORKER_ROLE", role)
    assert threads.limit_math_threads() == 8
    # Once settled it stays: the backends ask again.
    assert threads.limit_math_threads() == 8


def test_an_index_worker_goes_behind_others(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(threads.os, "nice", steps.append)
    threads.step_back()
    assert steps == [threads.INDEX_NICENESS]


def test_a_sandbox_that_forbids_it_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(threads.os, "nice", forbidden)
    threads.step_back()
