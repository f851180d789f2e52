"""Text on a terminal of any width: no word is broken, and no command to type."""

import io
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from redstart.cli.output import cells, fitted
from redstart.display import escaped

WORDS = st.text("abXY.-:é語", min_size=1, max_size=50)
COMMANDS = st.sampled_from(
    [
        "om migrate run",
        "om migrate run --accept-unindexed",
        "redstart migrate-data rollback 001_datetime_fields_to_timestamps --url redis://localhost:6379",
        "om migrate-data run --models 'shop models' --batch-size 5 -v",
        "om --url redis://localhost:6379/0 migrate-data run --failure-mode quarantine --models shop.models",
        "om server --port 0",
        "om migrate-data rollback ID",
    ]
)
PAUSE = st.sampled_from([" ", "  ", ". ", ", ", ": "])


class Terminal(io.StringIO):
    """A terminal in memory; `COLUMNS` says how wide it is."""

    def isatty(self) -> bool:
        return True


def shown(text: str, columns: int) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        return fitted(Terminal(), text)


@given(
    st.integers(40, 200),
    st.integers(0, 8),
    st.lists(st.tuples(WORDS | COMMANDS, PAUSE), min_size=1, max_size=30),
    st.none() | COMMANDS,
)
@example(40, 2, [("a" * 30, " "), ("b", "  "), ("c" * 30, ". ")], "om migrate run")
@example(80, 0, [("语語" * 20, " "), ("x" * 39, " ")], None)
@example(40, 0, [("a" * 25, " "), ("om migrate run", ". ")], None)
@example(40, 0, [("a" * 25, " "), ("om migrate run", ": ")], "om server --port 0")
def test_a_line(columns: int, indent: int, parts: list[tuple[str, str]], last: str | None) -> None:
    text = " " * indent + "".join(f"{word}{pause}" for word, pause in parts).rstrip()
    if last is not None:
        assume(not parts[-1][0].endswith(":"))  # a word, then the colon
        text = f"{text}{'' if text.endswith(':') else ':'} {last}"
    lines = shown(text, columns).splitlines()
    assert " ".join(lines).split() == text.split()
    for word, _ in parts:
        assert any(word in line for line in lines)
    if last is not None:
        assert lines[-1].strip().endswith(last)
        assert len(lines) == 1 or lines[-1].strip() == last
    commands = {word for word, _ in parts if " " in word} | {last or ""}
    for line in lines:
        is_one_word = " " not in line.strip()
        assert (
            cells(line) <= columns or is_one_word or any(command in line for command in commands if command)
        )


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_value_continues_below_itself(columns: int) -> None:
    text = (
        "lease holder  process 4711 on a machine with a long name, started by a user with another long name"
    )
    first, *rest = shown(text, columns).splitlines()
    assert first.startswith("lease holder  process")
    assert rest
    assert all(re.match(r" {14}\S", line) for line in rest)


@given(st.text(), st.integers(1, 300))
def test_nothing_is_wrapped_in_a_pipe(text: str, columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        assert fitted(io.StringIO(), text) == text


@given(st.text(), st.integers(40, 120))
def test_any_text_keeps_its_words(text: str, columns: int) -> None:
    printable = escaped(text)
    assert shown(printable, columns).split() == printable.split()


def test_lines_of_a_text_stay_apart() -> None:
    assert shown("first\n\n  second", 80) == "first\n\n  second"
