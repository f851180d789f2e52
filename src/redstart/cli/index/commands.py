"""`om index create` and `om index rebuild`."""

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index.models import chosen_indexes, index_options
from redstart.cli.index_report import (
    draw_results,
    forecast_line,
    pending_indexes,
    result_report,
)
from redstart.cli.migrate.index_run import (
    draw_outcome,
    migrate_indexes,
    question_about,
    refused_among,
    require_possible_run,
)
from redstart.cli.options import (
    Settings,
    accept_unindexed,
    accept_unreadable,
    aliases,
    confirm,
)
from redstart.cli.output import Tone, line, note, print_json
from redstart.cli.refused_cutover import blocking_report
from redstart.cli.session import Session, open_session
from redstart.cli.tables import next_step
from redstart.migrations.data.damage import LISTS
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import estimate_builds
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.next_command import CONVERT
from redstart.migrations.server_checks import require_search
from redstart.next_steps import Command


@click.command()
@click.option("-f", "--force", is_flag=True, help="Also change indexes that differ from their models.")
@accept_unindexed
@accept_unreadable
@aliases
@index_options
def create(
    settings: Settings,
    names: tuple[str, ...],
    force: bool,
    accept_unindexed: bool,
    accept_unreadable: bool,
    aliases: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> Exit:
    """Create the indexes of models that have none. Existing indexes are not changed.

    An index that differs from its model is reported, with exit code 3. With --force it is changed, too: the new index
    is built next to the active one, and cut over, so that no query misses a document.
    """
    options = ExpansionOptions(accept_unindexed=accept_unindexed, aliases=aliases)
    with open_session(settings, writes=True, about_indexes=True) as session:
        chosen = _chosen(session, names)
        pending = pending_indexes(session.run(index_statuses(chosen)))
        differing = [] if force else [one for one in pending if one.active is not ActiveIndex.ABSENT]
        omitted = {one.planned.name for one in differing}
        planned = [one for one in chosen if one.name not in omitted]
        require_possible_run(session, planned, options, accept_unreadable=accept_unreadable)
        if force and len(pending) > sum(one.active is ActiveIndex.ABSENT for one in pending):
            estimates = session.run(estimate_builds(planned))
            confirm(question_about(pending, estimates, session.where), assume_yes=yes)
        code = _change(session, planned, options, as_json=as_json, omitted=omitted)
    if differing and not as_json:
        for one in differing:
            line(f"{one.planned.name}: {one.active.value}, not changed", Tone.WARNING)
        next_step("See the differences with", Command("migrate status"))
        next_step("Change these indexes with", Command("index create", *names, "--force"))
    return Exit.PENDING if differing else code


@click.command()
@accept_unindexed
@accept_unreadable
@aliases
@index_options
def rebuild(
    settings: Settings,
    names: tuple[str, ...],
    accept_unindexed: bool,
    accept_unreadable: bool,
    aliases: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> Exit:
    """Build indexes again from the documents, as the models declare them.

    The new index is built next to the active one. When it contains every document that the active one has, the alias
    moves, and the previous index is dropped. No query misses a document.
    """
    options = ExpansionOptions(accept_unindexed=accept_unindexed, rebuild=True, aliases=aliases)
    with open_session(settings, writes=True, about_indexes=True) as session:
        chosen = _chosen(session, names)
        require_possible_run(session, chosen, options, accept_unreadable=accept_unreadable)
        statuses = session.run(index_statuses(chosen))
        estimates = session.run(estimate_builds(chosen, rebuild=True))
        for estimate in estimates:
            note(forecast_line(estimate))
        confirm(question_about(statuses, estimates, session.where), assume_yes=yes)
        return _change(session, chosen, options, as_json=as_json)


def _chosen(session: Session, names: tuple[str, ...]) -> list[PlannedIndex]:
    session.run(require_search())
    session.require_intact(exempt=LISTS)
    return chosen_indexes(session, names)


def _change(
    session: Session,
    planned: list[PlannedIndex],
    options: ExpansionOptions,
    *,
    as_json: bool,
    omitted: set[str] | None = None,
) -> Exit:
    """Create, change or rebuild indexes, and print the result.

    Args:
        omitted: names of indexes that differ from their models and are not changed; for --json.
    """
    results, blocking = migrate_indexes(session, planned, options)
    refused = refused_among(results, options)
    if as_json:
        report = {
            "indexes": [result_report(one) for one in results],
            "blocking": blocking_report(blocking),
        }
        print_json(report if omitted is None else report | {"not_changed": sorted(omitted)})
    else:
        if results:
            draw_outcome(results, refused)
        draw_results(results, blocking, session.plan, verbose=False)
        if any(one.outcome is IndexOutcome.EXPANDED for one in results):
            next_step("Convert the data and cut over with", CONVERT)
    return Exit.PENDING if refused else Exit.DONE
