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


def test_the_operators_number_of_threads_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*threads.THREAD_VARIABLES, "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert threads.limit_math_threads() == 7
    assert threads.os.environ["MKL_NUM_THREADS"] == "7"
