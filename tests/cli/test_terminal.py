"""On a terminal: questions, the progress bar, and 80 columns."""

import os
import re
import time

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.lease import acquire
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import StateKeys
from redstart.server.clients import open_sync
from tests.migrations.indexes.conftest import drop_all, make_legacy_indexes
from tests.support.cli import om_on_terminal, run_om
from tests.support.screen import screen
from tests.support.snapshot import difference, snapshot

pytest.importorskip("pty")

RUN = ("migrate-data", "run")


def without_time(text: str) -> str:
    """Return a text with single spaces, and TIME in place of an estimated duration."""
    return re.sub(r"(?:about |less than )?\d+\.\d s", "TIME", " ".join(text.split()))


def test_run_asks_and_a_no_does_nothing(station: redis.Redis) -> None:
    before = snapshot(station)
    found = om_on_terminal(*RUN, answer="n")
    assert found.code == 1
    question = without_time(found.shown)
    assert re.search(r"Convert the dates of 60 documents on \S+\? Estimated time: TIME\.", question)
    assert "Nothing was changed" in found.shown
    assert difference(before, snapshot(station)) == []


def test_run_asks_and_a_yes_runs_with_a_bar(station: redis.Redis) -> None:
    found = om_on_terminal(*RUN, answer="y")
    assert found.code == 0
    assert "Conversion complete." in found.shown
    for stage in ("initial scan", "converting"):
        assert re.search(rf"{stage} +━+ ", found.shown), stage
    assert "60 of 60" in found.shown
    assert re.search(r"\d+ failed", found.shown)


def test_the_message_of_ctrl_c_is_not_erased_by_the_bars(big_station: redis.Redis) -> None:
    found = om_on_terminal(*RUN, "--yes", "--batch-size", "2", interrupt_at="converting")
    assert found.code == 5
    lines = screen(found.raw)
    assert [line for line in lines if line.startswith("Stopping after the current batch")]
    for stage in ("initial scan", "converting"):
        assert len([line for line in lines if line.startswith(f"{stage} ")]) == 1, lines


def test_yes_answers(station: redis.Redis) -> None:
    found = om_on_terminal(*RUN, "--yes")
    assert (found.code, "[y/N]" in found.shown) == (0, False)


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("words", "question"),
    [
        (
            ("migrate", "run"),
            r"Change \d indexes on \S+ \(\d+ documents, TIME\)\?",
        ),
        (
            ("migrate", "rollback"),
            r"Roll back \d indexes on \S+ \(\d+ documents, TIME\)\?",
        ),
        (
            ("migrate-data", "run"),
            r"Convert the dates of 60 documents on \S+\? Estimated time: TIME\.",
        ),
        (
            ("migrate-data", "rollback", ID),
            rf"Roll back {ID} on \S+\? It reads 60 documents\. Estimated time: TIME\.",
        ),
        (
            ("migrate", "cleanup"),
            r"Drop \d unused index(es)? on \S+\? No document is deleted\. Do so when you no longer need",
        ),
    ],
)
def test_a_question_has_the_number_of_documents_and_the_time(
    station: redis.Redis, words: tuple[str, ...], question: str
) -> None:
    make_legacy_indexes(station)
    if words != ("migrate", "run"):
        assert run_om("migrate-data", "run", "--accept-unindexed").code == 0
    asked = om_on_terminal(*words, answer="n")
    drop_all(station)
    assert asked.code == 1
    assert re.search(question, without_time(asked.shown)), asked.shown


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("words", "question"),
    [
        (("rollback", ID), "Roll back"),
        (("clear-progress",), "Delete the saved progress?"),
        (("drop-undo-log", ID), "cannot be rolled back"),
        (("force-unlock",), "Remove the lease"),
    ],
)
def test_what_else_asks(station: redis.Redis, url: str, words: tuple[str, ...], question: str) -> None:
    # The undo log of an unfinished run cannot be dropped.
    limit = () if words[0] == "drop-undo-log" else ("--limit-documents", "5")
    assert run_om(*RUN, *limit).code == (5 if limit else 0)
    if words[0] == "force-unlock":
        hold_lease(url)
    before = snapshot_of_state(station)
    refused = om_on_terminal("migrate-data", *words, answer="n")
    assert refused.code == 1
    assert question in refused.shown
    assert snapshot_of_state(station) == before

    assert om_on_terminal("migrate-data", *words, answer="y").code == 0
    answered = om_on_terminal("migrate-data", *words, "--yes")
    assert (answered.code, "[y/N]" in answered.shown) == (0, False)


@pytest.mark.parametrize(("answer", "code"), [("maybe\ny", 0), ("\xe9\nYES", 0), ("maybe\nno", 1)])
def test_another_answer_is_asked_for_again(station: redis.Redis, answer: str, code: int) -> None:
    assert run_om(*RUN, "--limit-documents", "5").code == 5
    found = om_on_terminal("migrate-data", "clear-progress", answer=answer)
    assert (found.code, found.shown.count("[y/N]:"), found.shown.count("Type y or n.")) == (code, 2, 1)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("rollback", ID), "There is nothing to roll back."),
        (("clear-progress",), "No progress is saved; nothing was deleted."),
        (("drop-undo-log", ID), "There is no undo log; nothing was dropped."),
        (("force-unlock",), "No run holds a lease; nothing was removed."),
    ],
)
def test_nothing_is_asked_if_there_is_nothing_to_do(
    station: redis.Redis, words: tuple[str, ...], answer: str
) -> None:
    found = om_on_terminal("migrate-data", *words)
    assert (found.code, "[y/N]" in found.shown, answer in found.shown) == (0, False, True), found.shown
    assert run_om("migrate-data", *words).code == 0


def test_the_lease_holder_is_in_the_question(station: redis.Redis, url: str) -> None:
    hold_lease(url)
    asked = om_on_terminal("migrate-data", "force-unlock", answer="n")
    assert asked.code == 1
    assert f"The lease holder is process {os.getpid()}" in " ".join(asked.shown.split())


def test_the_new_version_is_named_before_a_rollback(station: redis.Redis) -> None:
    assert run_om(*RUN).code == 0
    first = "Stop the new version first: it writes numbers."
    assert first in run_om("migrate-data", "rollback", ID, "--dry-run").stdout
    asked = " ".join(om_on_terminal("migrate-data", "rollback", ID, answer="n").shown.split())
    assert 0 <= asked.find(first) < asked.find("[y/N]")


def hold_lease(url: str) -> None:
    """Acquire the lease of the data, and keep it."""
    taking = acquire(
        StateKeys(ID).lease, "held", this_process(), is_gone=lambda _: False, clock=time.monotonic
    )
    with open_sync(url) as server:
        _ = server.run(taking)


def snapshot_of_state(client: redis.Redis) -> set[bytes]:
    return set(client.scan_iter("redstart:*"))


@pytest.mark.parametrize("words", [("run",), ("rollback", ID), ("clear-progress",)])
def test_nothing_blocks_without_a_terminal(station: redis.Redis, words: tuple[str, ...]) -> None:
    found = run_om("migrate-data", *words)
    assert (found.code, "[y/N]" in found.text) == (0, False)


@pytest.mark.parametrize("words", ["stats", "stats -v", "status --detailed", "run --dry-run", "run --yes"])
def test_tables_fit_80_columns(station: redis.Redis, words: str) -> None:
    found = om_on_terminal("migrate-data", *words.split())
    assert found.code == 0
    drawn = [line for line in found.shown.splitlines() if re.search(r"  +[\d,]+$", line.rstrip())]
    assert drawn
    assert [line for line in drawn if len(line.rstrip()) > 80] == []
    assert re.search(r"[a-z]…|converti\b", found.shown) is None  # no column is cut


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "words",
    [
        "stats",
        "run --dry-run",
        "run --yes",
        "run --yes --failure-mode quarantine",
        "run --yes --max-errors 3",
    ],
)
def test_no_word_is_broken_at_80_columns(big_station: redis.Redis, words: str) -> None:
    make_legacy_indexes(big_station)
    found = om_on_terminal("migrate-data", *words.split())
    printed = found.shown.replace("\r", "").partition("failed\n")[2] if "run --yes" in words else found.shown
    result = [
        line.rstrip() for line in printed[printed.find("Conver") if "--yes" in words else 0 :].splitlines()
    ]
    assert len(result) > 10
    assert [line for line in result if len(line) > 80 and "━" not in line and "om migrate" not in line] == []
    drop_all(big_station)


def test_json_on_a_terminal_is_still_one_line_on_stdout(station: redis.Redis) -> None:
    found = om_on_terminal("migrate-data", "status", "--json")
    assert found.shown.strip().startswith("{")
    assert len(found.shown.strip().splitlines()) == 1


def test_output_without_a_terminal_has_no_style_and_no_bar(station: redis.Redis) -> None:
    for words in ("stats -v", "run --dry-run", "run -v", "verify", "status --detailed"):
        found = run_om("migrate-data", *words.split())
        assert "\x1b" not in found.text
        assert "━" not in found.text


def test_colours_forced_by_the_environment_draw_no_bar(
    station: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "━" not in run_om(*RUN).text


@pytest.mark.parametrize(
    ("words", "colour", "begins"),
    [
        ("migrat", "31", "Error: No such command"),
        ("--models no_such_module migrate status", "35", "Warning: Environment variable REDSTART_MODLES"),
    ],
)
def test_a_meaning_has_a_colour_on_a_terminal_only(
    words: str, colour: str, begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDSTART_MODLES", "x")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = f"\x1b[{colour}m{begins}".encode()
    assert coloured in om_on_terminal(*words.split()).raw
    plain = [om_on_terminal(*words.split(), term="dumb").raw, run_om(*words.split()).text.encode()]
    monkeypatch.setenv("NO_COLOR", "1")
    plain.append(om_on_terminal(*words.split()).raw)
    for shown in plain:
        assert begins.encode() in shown
        assert b"\x1b[3" not in shown


def test_sentences_are_wrapped_between_words_and_a_command_is_whole(station: redis.Redis) -> None:
    whole = run_om(*RUN, "--dry-run").stdout
    assert max(map(len, whole.splitlines())) > 60
    narrow = om_on_terminal(*RUN, "--dry-run", columns=60).shown
    assert set(whole.split()) <= set(narrow.split())
    for command in re.findall("om migrate-data run", whole):
        assert command in narrow
