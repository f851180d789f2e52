"""Refused cutovers, predicted and actual: the blocking values, and the options to continue."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from redstart.cli.output import Tone, counted, line
from redstart.display import MAX_EXAMPLES_SHOWN
from redstart.migrations.blocking import STILL_TEXT, planned_values, required_fields
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.failure import BlockedDocuments, Failure
from redstart.migrations.indexes.status import IndexStatus
from redstart.next_steps import Command, Hint

LIST_BLOCKING = Command("migrate-data status", "--verbose")
ACCEPT = Command("migrate run", "--accept-unindexed")
ACCEPT_EFFECT = "cuts over; these documents drop out of query results"
CORRECTED_EFFECT = "converts the values once you have corrected them (in text or numeric format)"
QUARANTINE_EFFECT = "moves failed values to <field>__invalid"
DEFAULT_EFFECT = (
    "stores 0.0 instead of failed values; queries then find these documents with the date 1970-01-01"
)
DROP_OUT = "would drop out of query results"


def draw_blocking(
    missing: int, values: Sequence[Failure], *, verbose: bool, list_all: Command | None
) -> None:
    """Print the blocking values of an index.

    Args:
        missing: number of documents that are missing from it.
        list_all: the command that lists all, if any does.
    """
    shown = values if verbose else values[:MAX_EXAMPLES_SHOWN]
    for failure in shown:
        line(f"  blocking: {failure}")
    if shown and missing > (named := len({failure.key for failure in shown})):
        more = f"  ... and {counted(missing - named, 'more document')}"
        line(more if verbose or list_all is None else Hint(more, "; list all with: ", list_all))


def draw_options(
    blocking: Mapping[str, Sequence[Failure]],
    plan: Plan,
    *,
    refused: bool,
    failure_mode: FailureMode | None,
) -> None:
    """Print what can be done about blocking values: each command, and below it what it does."""
    values = planned_values((failure for failures in blocking.values() for failure in failures), plan)
    if refused:
        line("The active indexes are unchanged, so no query loses documents.")
    if any(failure.reason == STILL_TEXT for failure in values):
        line(Hint("Some values are still in text format. Convert them with: ", Command("migrate-data run")))
    if refused:
        line("To finish the cutover, stop the old version, then do one of:")
    else:
        line("To index these documents, do one of:")
    for command, effect in _options(values, plan, failure_mode, refused=refused):
        line(Hint("  ", command))
        line(f"      {effect}")
    if not refused:
        line("Or leave these documents unindexed; nothing else is needed.")


def _options(
    values: Sequence[Failure], plan: Plan, failure_mode: FailureMode | None, *, refused: bool
) -> Iterator[tuple[Command, str]]:
    then = " and cuts over" if refused else ""
    if values:
        yield Command("migrate-data run"), CORRECTED_EFFECT + then
    else:
        yield Command("migrate run"), "once you have corrected the documents"
    if any(failure.reason != STILL_TEXT for failure in values):
        for mode, effect in _effects(values, plan, failure_mode):
            yield Command("migrate-data run", "--failure-mode", mode), effect
    if refused:
        yield ACCEPT, ACCEPT_EFFECT


def _effects(
    values: Sequence[Failure], plan: Plan, failure_mode: FailureMode | None
) -> list[tuple[FailureMode, str]]:
    """Return the other failure modes, which index these documents, each with its effect."""
    required = required_fields(values, plan)
    effect = QUARANTINE_EFFECT
    if required:
        fields = ", ".join(required)
        effect += (
            f"; models then cannot read documents in which one of these required fields has failed: {fields}"
        )
    modes = {FailureMode.QUARANTINE: effect, FailureMode.DEFAULT: DEFAULT_EFFECT}
    return [(mode, text) for mode, text in modes.items() if mode is not failure_mode]


def draw_prediction(
    blocked: Mapping[str, BlockedDocuments],
    plan: Plan,
    command: Command,
    *,
    absent: Collection[str] = (),
    failure_mode: FailureMode | None = None,
    accept_unindexed: bool,
    verbose: bool,
) -> None:
    """Print, in a dry run, which documents would drop out of query results, and the options to prevent that.

    Args:
        blocked: these documents, by index.
        command: the run.
        absent: names of indexes that do not exist yet.
        failure_mode: that of the run, if it converts data.
    """
    list_all = command.adding("--dry-run", "--verbose")
    draw_blocked(
        blocked, absent=absent, accept_unindexed=accept_unindexed, verbose=verbose, list_all=list_all
    )
    if not blocked or accept_unindexed:
        return
    line("")
    line("No query would lose documents, because the new indexes would not become active.")
    line("To cut over, do one of:")
    for option, effect in _predicted_options(blocked, plan, command, failure_mode):
        line(Hint("  ", option))
        line(f"      {effect}")


def draw_blocked(
    blocked: Mapping[str, BlockedDocuments],
    *,
    absent: Collection[str] = (),
    accept_unindexed: bool,
    verbose: bool = False,
    list_all: Command | None = None,
) -> None:
    """Print, in a dry run, which documents would drop out of query results.

    Args:
        blocked, absent: see `draw_prediction`.
        list_all: the command that lists all of them, if any does.
    """
    for name, found in blocked.items():
        documents = counted(found.count, "document")
        if name in absent:
            line(f"{name}: would be created without {documents}")
        elif accept_unindexed:
            line(f"{name}: {documents} {DROP_OUT} (--accept-unindexed)")
        else:
            line(f"{name}: the cutover would be refused: {documents} {DROP_OUT}")
        draw_blocking(found.count, found.values, verbose=verbose, list_all=list_all)


def _predicted_options(
    blocked: Mapping[str, BlockedDocuments], plan: Plan, command: Command, failure_mode: FailureMode | None
) -> Iterator[tuple[Command, str]]:
    values = planned_values((failure for found in blocked.values() for failure in found.values), plan)
    if values:
        convert = Command("migrate-data run") if failure_mode is None else command
        yield convert, f"{CORRECTED_EFFECT} and cuts over"
        for mode, effect in _effects(values, plan, failure_mode):
            yield convert.with_option("--failure-mode", mode), effect
    else:
        yield command, "once you have corrected the documents"
    yield command.adding("--accept-unindexed"), ACCEPT_EFFECT


def blocked_report(blocked: Mapping[str, BlockedDocuments]) -> dict[str, Any]:
    """Return the keys of a dry run about documents that would drop out of query results, for --json."""
    return {
        "blocked_documents": [{"index": name, "documents": found.count} for name, found in blocked.items()],
        "blocking": blocking_report({name: found.values for name, found in blocked.items()}),
    }


def cutover_is_refused(statuses: Sequence[IndexStatus]) -> bool:
    """Return whether a cutover of converted data would be refused for one of these indexes."""
    return any(one.lacking for one in statuses)


def draw_refused_cutover(
    statuses: Sequence[IndexStatus], failed: int, blocking: Mapping[str, Sequence[Failure]] | None = None
) -> None:
    """Print for how many indexes a cutover is refused, and the options to continue.

    Args:
        statuses: of the indexes of converted data.
        failed: number of failed values.
        blocking: the blocking values of each index, if they are to be listed.
    """
    refused = [one for one in statuses if one.lacking]
    values = f"{counted(failed, 'failed value')}; the" if failed else "The"
    documents = counted(sum(one.lacking for one in refused), "document")
    line(
        f"{values} cutover is refused for {counted(len(refused), 'index', 'indexes')} ({documents}).",
        Tone.WARNING,
    )
    for failures in (blocking or {}).values():
        for failure in failures:
            line(f"  blocking: {failure}")
    if blocking is None:
        line(Hint("List the blocking values with: ", LIST_BLOCKING))
    line("Queries still use the dual-format indexes, so no query loses documents.")
    line("To finish the cutover, stop the old version, then do one of:")
    modes = {FailureMode.QUARANTINE: QUARANTINE_EFFECT, FailureMode.DEFAULT: DEFAULT_EFFECT}
    for command, effect in (
        (Command("migrate-data run"), f"{CORRECTED_EFFECT} and cuts over"),
        *((Command("migrate-data run", "--failure-mode", mode), text) for mode, text in modes.items()),
        (ACCEPT, ACCEPT_EFFECT),
    ):
        line(Hint("  ", command))
        line(f"      {effect}")


def blocking_report(blocking: Mapping[str, Sequence[Failure]]) -> list[dict[str, str]]:
    """Return the blocking values of refused cutovers, for --json."""
    return [failure.as_dict() for failures in blocking.values() for failure in failures]
