"""Tables and progress as wide as the terminal: names, numbers and ids are never cut or broken."""

import io
import re
import sys
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redstart.cli.progress import progress_display
from redstart.cli.tables import table
from redstart.migrations.context import Progress

COLUMNS = ["model", "keys", "documents", "should be"]
ROWS: list[list[object]] = [
    ["redstart.demo.models.Ringer", "station:redstart.demo.models.Ringer:", 12_345_678, "NUMERIC"],
    ["redstart.demo.models.Visit", "station:visit:", 9, "not indexed at all, as it seems"],
]


class Terminal(io.StringIO):
    """A terminal in memory; `COLUMNS` says how wide it is."""

    def isatty(self) -> bool:
        return True


def plain(stream: object) -> str:
    """What can be read on it, without colours and movements of the cursor."""
    assert isinstance(stream, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def drawn(
    columns: int,
    title: str,
    names: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    terminal: bool = True,
) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stdout", Terminal() if terminal else io.StringIO())
        table(title, names, rows)
        return plain(sys.stdout)


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 150])
def test_no_word_of_a_table_is_broken(columns: int) -> None:
    shown = drawn(columns, "Models of redstart.demo.models and what is under their keys", COLUMNS, ROWS)
    whole = drawn(
        80, "Models of redstart.demo.models and what is under their keys", COLUMNS, ROWS, terminal=False
    )
    assert set(shown.split()) == set(whole.split())
    assert "12,345,678" in shown
    assert [line for line in shown.splitlines() if len(line) > columns] == []


def test_a_wide_terminal_has_a_line_for_each_row_and_a_narrow_one_a_list() -> None:
    assert len(drawn(130, "Models", COLUMNS, ROWS).splitlines()) == 5
    narrow = drawn(60, "Models", COLUMNS, ROWS)
    assert "  keys       station:redstart.demo.models.Ringer:\n  documents  12,345,678\n" in narrow
    assert "  keys\n    station:redstart.demo.models.Ringer:\n" in drawn(40, "Models", COLUMNS, ROWS)


def test_words_apart_may_go_to_the_next_line() -> None:
    shown = drawn(
        40, "Fields", ["field", "the index"], [["arrived_at", "does not take it as a number at all"]]
    )
    assert [line.split()[0] for line in shown.splitlines()[1:] if line] == ["field", "arrived_at", "at"]


def test_nothing_is_taken_for_markup_or_a_picture() -> None:
    words = ["[bold]", "[red]", "measurements[].taken_at", "[/]", "station:bird:", ":b:"]
    shown = drawn(80, words[0], [words[1]], [[word] for word in words[2:]])
    assert shown.split() == words


@given(
    st.integers(10, 120),
    st.lists(st.tuples(st.text("ab [:é語", max_size=30), st.integers(0, 10**9)), min_size=1, max_size=4),
)
@example(23, [("::::::::::語 b", 1_000_000)])
def test_any_table_shows_every_word_whole(columns: int, rows: list[tuple[str, int]]) -> None:
    shown = drawn(columns, "Title", ["name", "count"], rows).split()
    for text, number in rows:
        assert f"{number:,}" in shown
        assert set(text.split()) <= set(shown)


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
@pytest.mark.parametrize("done", [0, 7_654_321, 10_000_000])
def test_no_number_of_a_progress_bar_is_cut_off(
    columns: int, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_display() as show:
        for number in (1, 2):
            show(Progress("converting", number, 0, 10_000_000, 0))
            show(Progress("converting", number, done, 10_000_000, 1_234))
    last = plain(sys.stderr).splitlines()[-1]
    assert last.startswith("converting, pass 2 ")
    assert "…" not in last
    assert len(last.rstrip()) <= columns
    assert f"{done:,} of 10,000,000" in last or f"{done / 1e7:.0%}" in last
    assert "1,234 failed" in last
    assert ("━" in last) == (columns >= 60)


@pytest.mark.parametrize("stage", ["converting", "building shop:shop_models.Customer:index@75545cb1"])
@pytest.mark.parametrize("failed", [7, 1_234_567])
def test_failures_are_the_last_part_of_a_progress_line_that_is_left_out(
    stage: str, failed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_display() as show:
        for number in (0, 50_000_000):
            show(Progress(stage, 10, number, 100_000_000, failed))
    assert f"{failed:,} failed" in plain(sys.stderr).splitlines()[-1]
