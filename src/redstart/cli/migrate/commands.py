"""The commands of `om migrate`."""

import time
import uuid
from typing import Any

import click

from redstart.cli.drawing import pairs, table
from redstart.cli.exits import Exit
from redstart.cli.migrate_data.options import common, confirm, yes
from redstart.cli.output import line, note, print_json
from redstart.cli.session import open_session
from redstart.cli.settings import Settings
from redstart.migrations.data.context import DATETIME_MIGRATION
from redstart.migrations.data.record import read_record
from redstart.migrations.holder import this_process
from redstart.migrations.indexes.expand import IndexResult, IndexState
from redstart.migrations.indexes.migrate import IndexMigration
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.preflight import require_search
from redstart.migrations.indexes.prove import Membership
from redstart.migrations.indexes.status import IndexStatus, Standing, index_statuses

EXAMPLES_SAID = 5

WHAT_NEXT = {
    IndexState.UP_TO_DATE: "serves what the model asks for",
    IndexState.CREATED: "built; the name leads to it",
    IndexState.EXPANDED: "ready; it takes over when the data is converted",
    IndexState.CUT_OVER: "took over",
    IndexState.REFUSED: "refused: documents that are found now would not be found",
}

TAKEN_OVER = (
    "{}: another tool, as redis-om's Migrator, put its own index in place of the one that served. "
    "No document is lost, but queries may miss some."
)


@click.command()
@click.option("--check", is_flag=True, help="Exit with 3 when something is pending.")
@common
def status(settings: Settings, check: bool, as_json: bool) -> int:
    """What each model's index is and what differs from the model. Writes nothing."""
    with open_session(settings) as session:
        session.run(require_search())
        found = session.run(index_statuses(planned_indexes(session.declarations)))
    pending = [one for one in found if one.standing is not Standing.UP_TO_DATE]
    if as_json:
        print_json(
            {
                "indexes": [_status_report(one) for one in found],
                "pending": [one.planned.name for one in pending],
            }
        )
    else:
        line("Schema Migration Status:")
        rows = [[one.planned.model, one.planned.name, one.standing.value, one.documents] for one in found]
        table("Indexes", ["model", "index", "state", "documents"], rows)
        for one in pending:
            if one.standing is Standing.TAKEN_OVER:
                line(TAKEN_OVER.format(one.planned.name))
            for change in one.pending.changes if one.pending is not None else ():
                line(f"{one.planned.name}: {change}")
        line(
            "Bring them up to date with: om migrate run" if pending else "No pending schema changes detected"
        )
    return Exit.PENDING if check and pending else Exit.DONE


@click.command()
@click.option(
    "--accept-unindexed",
    is_flag=True,
    help="Cut over even if documents that are found now are lost to queries.",
)
@yes
@common
def run(settings: Settings, accept_unindexed: bool, yes: bool, as_json: bool) -> int:
    """Bring the indexes as far as the data allows. One whose dates change from tags to numbers is built beside and
    fills while `om migrate-data run` converts; run this again afterwards for the cut-over."""
    with open_session(settings) as session:
        planned = planned_indexes(session.declarations)
        confirm(f"Migrate {len(planned)} indexes on {session.where}?", assume_yes=yes)
        record = session.run(read_record(session.keys))
        converted = {model.key_prefix for model in session.plan.models if record.is_applied(model)}
        results = session.run(_migration().run(planned, converted, accept_unindexed=accept_unindexed))
    if as_json:
        print_json({"indexes": [_result_report(one) for one in results]})
    else:
        for one in results:
            _draw_result(one)
    return Exit.FOUND if any(one.state is IndexState.REFUSED for one in results) else Exit.DONE


def _draw_result(one: IndexResult) -> None:
    if one.mended:
        line(f"{one.name}: another tool had replaced or dropped the index that served; this is mended now")
    line(f"{one.name} ({one.model}): {WHAT_NEXT[one.state]}")
    if one.state is IndexState.EXPANDED:
        line("  next: om migrate-data run, then om migrate run again. The old application may go on.")
    if one.membership is not None:
        _draw_membership(one.membership)
    if one.state is IndexState.REFUSED:
        line(
            "  ways on: mend the values that om migrate-data errors lists; or convert them with --failure-mode default"
        )
        line("  or quarantine; or say --accept-unindexed. Then run this again.")


def _draw_membership(found: Membership) -> None:
    pairs(
        [
            ("  documents", found.documents),
            ("  found now, not then", found.missing),
            ("  found by neither", found.unserved),
        ]
    )
    for key in found.examples[:EXAMPLES_SAID]:
        line(f"  for example {key.decode('utf-8', errors='backslashreplace')}")


@click.command("swap-back")
@yes
@common
def swap_back(settings: Settings, yes: bool, as_json: bool) -> int:
    """Let indexes serve again that accept dates in both forms, before `om migrate-data rollback`; after it, bring
    back the definitions that served before Redstart."""
    with open_session(settings, needs_models=False) as session:
        confirm(f"Swap the indexes back on {session.where}?", assume_yes=yes)
        # A completed rollback leaves no record; `forget` does, for the data is still converted.
        undone = session.run(read_record(session.keys)).generation == 0
        done = session.run(_migration().swap_back(data_undone=undone))
    refused = [name for name, switched in done if not switched.done]
    if as_json:
        print_json({"swapped": [name for name, switched in done if switched.done], "refused": refused})
    else:
        for name, switched in done:
            result = "as before the migration" if undone else "accepts both forms"
            line(f"{name}: {result if switched.done else 'refused, it would lose documents'}")
        if not done:
            line("No index was migrated.")
        elif not undone:
            line(
                f"Undo the data with: om migrate-data rollback {DATETIME_MIGRATION}, then run this once more."
            )
    return Exit.FOUND if refused else Exit.DONE


@click.command()
@yes
@common
def cleanup(settings: Settings, yes: bool, as_json: bool) -> None:
    """Drop indexes that were built beside and serve no name. Documents are never touched."""
    with open_session(settings, needs_models=False) as session:
        confirm(f"Drop unused indexes on {session.where}?", assume_yes=yes)
        dropped = session.run(_migration().cleanup())
    if as_json:
        print_json({"dropped": dropped})
        return
    for name in dropped:
        line(f"dropped {name}")
    if not dropped:
        line("There was nothing to drop.")


def _migration() -> IndexMigration:
    said: set[tuple[str, int]] = set()

    def waiting(index: str, percent: float) -> None:
        step = (index, int(percent // 10))
        if step not in said:
            said.add(step)
            note(f"building {index}: {percent:.0f} %")

    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, waiting)


def _status_report(one: IndexStatus) -> dict[str, Any]:
    return {
        "model": one.planned.model,
        "index": one.planned.name,
        "state": one.standing.value,
        "serving": one.serving,
        "documents": one.documents,
        "changes": [str(change) for change in one.pending.changes] if one.pending is not None else [],
    }


def _result_report(one: IndexResult) -> dict[str, Any]:
    found = one.membership
    return {
        "model": one.model,
        "index": one.name,
        "state": one.state.value,
        "mended": one.mended,
        "documents": found.documents if found else None,
        "missing": found.missing if found else None,
        "unserved": found.unserved if found else None,
    }
