"""Progress of index builds and coverage checks: bars on a terminal, lines in a pipe."""

import re
import sys

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redstart.cli import progress
from redstart.cli.progress import progress_display
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease_state import Activity, this_process
from tests.cli.test_tables import Terminal, plain
from tests.migrations.indexes.conftest import is_converted, legacy, perform, planned
from tests.support.cli import run_om
from tests.support.screen import screen

__all__ = ["legacy"]  # a fixture


def test_each_build_and_each_coverage_check_reaches_the_monitor(legacy: redis.Redis, url: str) -> None:
    updates: list[Progress] = []
    migration = IndexMigration(
        this_process(), "token", iter(range(10**9)).__next__, Monitor(progress=updates.append)
    )
    perform(url, migration.run(planned(), is_converted(()), ExpansionOptions(keep_old_index=True)))
    names = [one.name for one in planned()]
    by_stage = {one.stage: one for one in updates}
    assert set(by_stage) == {f"{verb} {name}" for verb in ("building", "checking") for name in names}
    for stage, last in by_stage.items():
        assert last.unit == ("%" if stage.startswith("building") else "documents")
        assert last.total > 0
        assert last.done <= last.total


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "words",
    [
        ("migrate", "run"),
        ("migrate", "rollback"),
        ("migrate-data", "run"),
        ("migrate-data", "rollback", ID),
    ],
    ids=" ".join,
)
def test_index_work_is_reported_in_a_pipe(
    legacy: redis.Redis, configured: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "rollback" in words:
        assert run_om("migrate-data", "run").code == 0
        assert run_om("migrate", "cleanup").code == 0
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    shown = run_om(*words).stderr
    assert re.search(r"^building \S+: \d+%$", shown, re.M)
    assert re.search(r"^checking \S+: \d+%, [\d,]+ of [\d,]+ documents", shown, re.M)


@given(st.text("shop.models:Order_ü", min_size=1, max_size=200), st.integers(0, 100))
def test_any_index_name_fits_80_columns(name: str, percent: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", Terminal())
        with progress_display() as show:
            show(Progress(f"building {name}", 0, percent, 100, 0, "%"))
        (drawn,) = [text for text in plain(sys.stderr).splitlines()[-1:] if text.strip()]
    assert len(drawn.rstrip()) <= 80
    assert drawn.startswith("building ")
    assert f"{percent}%" in drawn
    assert "━" in drawn


def test_the_bars_of_index_work_leave_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_display() as show:
        monitor = Monitor(progress=show)
        monitor.show_activity(Activity("building one", 3, 100, "%"))
        show(Progress("converting", 1, 5, 10, 0))
        monitor.show_activity(Activity("checking one", 3, 10))
    left = "\n".join(screen(sys.stderr.getvalue().encode()))
    assert "converting" in left
    assert "one" not in left
