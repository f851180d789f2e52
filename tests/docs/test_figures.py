"""The figures of the README are those of docs/performance.md, which names the command that prints them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def row(page: str, beginning: str) -> list[str]:
    """The cells of the only row of a table that begins like this, after its first cell."""
    (found,) = re.findall(rf"^\| {re.escape(beginning)}[^|]*\|(.*)\|$", page, re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def number(cell: str) -> float:
    """The first number of a cell."""
    found = re.match(r"[\d.]+", cell)
    assert found is not None, cell
    return float(found.group())


def test_operations_of_models() -> None:
    for name in ("creation of an object", "`save()`", "`get()`", "`find().all()`", "`add()`", "`get_many()`"):
        _, redis_om, by_hand = row(README, name)
        assert [number(redis_om), number(by_hand)] == [number(cell) for cell in row(PERFORMANCE, name)], name


def test_the_conversion_of_dates() -> None:
    """Performance has speeds relative to the pipeline, and the README times relative to Redstart."""
    values, whole = (
        [number(cell) for cell in row(PERFORMANCE, name)]
        for name in ("Redstart, conversion only", "Redstart, with initial scan")
    )
    for place, storage in enumerate(("hashes", "JSON")):
        assert row(README, f"conversion of dates in {storage}")[2] == f"{values[place]:.1f} a pipeline"
    times = [f"{values[place] / whole[place]:.1f}" for place in range(2)]
    assert row(README, "the same with initial scan")[0] == f"{times[0]} hashes, {times[1]} JSON"


def test_the_time_in_which_queries_miss_documents() -> None:
    (seconds,) = re.findall(r"queries miss documents for ([\d.]+) s", PERFORMANCE)
    assert row(README, "queries during this change")[1:] == [f"miss documents for {float(seconds):.1f} s"] * 2
