"""Index migrations as commands show them: what will be built, how far it is, what became of it."""

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from redstart.cli.drawing import pairs
from redstart.cli.output import as_typed, line, note
from redstart.cli.quantities import duration
from redstart.display import one_line
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.state.failures import SHOWN_KEY_CHARACTERS, Failure
from redstart.migrations.holder import this_process
from redstart.migrations.indexes.expand import IndexResult, IndexState
from redstart.migrations.indexes.forecast import IndexForecast
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.migrations.indexes.prove import Membership
from redstart.migrations.indexes.status import IndexStatus
from redstart.migrations.indexes.switch import Switched

EXAMPLES_SAID = 5

WHAT_NEXT = {
    IndexState.UP_TO_DATE: "serves what the model asks for",
    IndexState.CREATED: "built; the name leads to it",
    IndexState.EXPANDED: "ready; it takes over when the data is converted",
    IndexState.CUT_OVER: "took over",
    IndexState.REFUSED: "refused: documents that are found now would not be found",
}


def index_migration(monitor: Monitor) -> IndexMigration:
    """Return the index migrations of this process, which report their progress to a monitor."""
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, monitor)


def forecast_line(one: IndexForecast) -> str:
    """What one index will take, in a line."""
    documents = f"{one.documents:,} documents{still_filling(one.filled_percent)}"
    if not one.to_build:
        return f"{one.name}: {documents}, its new form is built already"
    builds = "one index is" if one.to_build == 1 else f"{one.to_build} indexes are"
    return (
        f"{one.name}: {documents}, {builds} built beside it "
        f"(about {one.megabytes:.1f} MB and {duration(one.seconds)})"
    )


def note_superseded(statuses: Sequence[IndexStatus]) -> None:
    """Warn of each index that has a later definition than its model asks for: the models may be old ones."""
    for one in statuses:
        if one.is_superseded:
            note(f"Warning: {superseded_message(one)}")


def superseded_message(one: IndexStatus) -> str:
    """What a run does to an index that has a later definition than its model asks for."""
    return (
        f"{one.planned.name}: a later definition has replaced the one that {one.planned.model} asks for. A run goes "
        "back to the replaced one, which a newer version of the application may not be able to query."
    )


def still_filling(percent: float | None) -> str:
    """What is to be put behind the number of documents in an index; nothing when it is filled.

    Args:
        percent: how much of the keyspace the server has scanned for it; None when that is over.
    """
    return "" if percent is None else f" so far (the server is filling the index: {percent:.0f} %)"


def draw_unnamed_aliases(expected: Sequence[IndexForecast], aliases: Sequence[str]) -> None:
    """In a dry run, that aliases which the server does not list are lost unless they are named."""
    if expected and not aliases:
        line(
            "Aliases that were added to these indexes by hand (FT.ALIASADD) go with them: the server lists none."
        )
        line("Name each with --alias, and it follows.")


def forecast_report(one: IndexForecast) -> dict[str, Any]:
    """One index that will change, for --json."""
    return {
        "model": one.model,
        "index": one.name,
        "documents": one.documents,
        "filled_percent": None if one.filled_percent is None else round(one.filled_percent, 1),
        "to_build": one.to_build,
        "megabytes": round(one.megabytes, 3),
        "seconds": round(one.seconds, 3),
    }


def draw_results(
    results: Sequence[IndexResult], blocking: Mapping[str, Sequence[Failure]], *, verbose: bool
) -> None:
    """What became of each index; where a cut-over was refused, what is in the way, and the ways on."""
    for one in results:
        line(f"{one.name}: {WHAT_NEXT[one.state]}")
        if one.repaired:
            line("  another tool had replaced or dropped the index that served; mended")
        in_the_way = blocking.get(one.name, [])
        if one.membership is not None:
            _draw_membership(one.membership, examples=one.state is IndexState.REFUSED and not in_the_way)
            if one.membership.missing and (one.state is IndexState.CUT_OVER or one.is_incomplete):
                line("  these documents still exist, but no query returns them")
        for failure in in_the_way if verbose else in_the_way[:EXAMPLES_SAID]:
            line(f"  in the way: {failure}")
    if any(failure.path for failures in blocking.values() for failure in failures):
        line(
            as_typed(
                "Ways on: mend these values; or let the run change them, with om migrate-data run --failure-mode"
            )
        )
        line(
            "quarantine, where a field may be None (models do not read a document without the others), or default;"
        )
        line(as_typed("or leave the documents out of the index, with om migrate run --accept-unindexed."))
    elif blocking:
        line(
            as_typed(
                "Ways on: mend these documents; or leave them out of the index, with om migrate run --accept-unindexed."
            )
        )


def blocking_report(blocking: Mapping[str, Sequence[Failure]]) -> list[dict[str, str]]:
    """What is in the way of cut-overs, for --json."""
    return [failure.as_dict() for failures in blocking.values() for failure in failures]


def draw_switched(name: str, switched: Switched, result: str, *, accepted: bool = False) -> None:
    """What became of an index on the way back; where it would lose documents, how many and which.

    Args:
        accepted: whether it may lose them: then these are told, too. Else it lacks no more than it ever did.
    """
    refused = "refused, documents that are found now would not be found"
    if switched.is_created:
        result = "stays: there was no index of this name before Redstart"
    line(f"{name}: {result if switched.done else refused}")
    found = switched.membership
    if found is not None and (not switched.done or (accepted and found.missing)):
        _draw_membership(found, examples=True)


def draw_lacking(name: str, found: Membership, before: int) -> None:
    """Report that the index that was gone back to does not accept some documents, and did not before the migration."""
    line(f"{name}: {found.missing:,} documents are in no index now; before the migration it was {before:,}")
    for key in found.examples[:EXAMPLES_SAID]:
        line(f"  for example {_shown(key)}")


def switched_report(name: str, switched: Switched) -> dict[str, Any]:
    """What became of an index on the way back, for --json."""
    found = switched.membership
    return {
        "index": name,
        "done": switched.done,
        "documents": found.documents if found else None,
        "missing": found.missing if found else None,
        "examples": [key.decode(errors="backslashreplace") for key in found.examples] if found else [],
    }


def _draw_membership(found: Membership, *, examples: bool) -> None:
    pairs(
        [
            ("  documents", found.documents),
            ("  found now, not then", found.missing),
            ("  found by neither", found.unserved),
        ]
    )
    for key in found.examples[:EXAMPLES_SAID] if examples else ():
        line(f"  for example {_shown(key)}")


def _shown(key: bytes) -> str:
    return one_line(key, SHOWN_KEY_CHARACTERS)


def result_report(one: IndexResult) -> dict[str, Any]:
    """What became of one index, for --json."""
    found = one.membership
    return {
        "model": one.model,
        "index": one.name,
        "state": one.state.value,
        "mended": one.repaired,
        "documents": found.documents if found else None,
        "missing": found.missing if found else None,
        "unserved": found.unserved if found else None,
    }
