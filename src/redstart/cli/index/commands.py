"""`om index create`, `rebuild` and `drop`, and the models that they are about."""

from collections.abc import Sequence

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.index_report import (
    counted_indexes,
    draw_results,
    index_estimate_line,
    index_migration,
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
    F,
    Settings,
    accept_unindexed,
    accept_unreadable,
    aliases,
    confirm,
    json_output,
    models_option_of,
    require_yes,
    url_option,
    will_ask,
    yes,
)
from redstart.cli.output import Tone, counted, line, note, print_json
from redstart.cli.refused_cutover import blocking_report
from redstart.cli.session import Session, open_session
from redstart.cli.tables import next_step
from redstart.display import did_you_mean
from redstart.effects import Op
from redstart.errors import ConfigurationError
from redstart.migrations.context import Monitor
from redstart.migrations.data.damage import LISTS
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.expand import ExpansionOptions, IndexOutcome
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import estimate_builds, require_safe_drop
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.indexes.swap import unused
from redstart.migrations.phase import CONVERT
from redstart.migrations.server_checks import require_search
from redstart.next_steps import Command, Hint


def index_options(command: F) -> F:
    """Add MODEL, --url, --models with redis-om's --module, --yes and --json."""
    for option in (json_output, models_option_of("-m", "--module"), url_option, yes, _models):
        command = option(command)
    return command


_models = click.argument("names", metavar="[MODEL]...", nargs=-1)


def chosen_indexes(session: Session, names: Sequence[str]) -> list[PlannedIndex]:
    """Return the indexes of the named models; those of all models without names.

    Args:
        names: classes, with or without their module, or names of indexes.

    Raises:
        ConfigurationError: a name is unknown, or several models have it.
    """
    planned = session.planned_indexes()
    chosen: dict[str, PlannedIndex] = {}
    for name in names:
        found = [one for one in planned if name in (one.model, one.name)] or [
            one for one in planned if one.model.rpartition(".")[2] == name
        ]
        if not found:
            short = [one.model.rpartition(".")[2] for one in planned]
            raise ConfigurationError(
                f"There is no model {name!r} in --models.",
                did_you_mean(name, short) or f"The models are: {', '.join(one.model for one in planned)}",
            )
        if len(found) > 1:
            raise ConfigurationError(
                f"Several models have the name {name!r}.",
                f"Use one of: {', '.join(one.model for one in found)}",
            )
        chosen[found[0].name] = found[0]
    return list(chosen.values()) if names else list({one.name: one for one in planned}.values())


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
            note(index_estimate_line(estimate))
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


@click.command()
@index_options
def drop(settings: Settings, names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Drop the indexes of models, and those that were built for them. No document is deleted.

    Until the index is created again, queries raise IndexNotFoundError. Without a terminal, --yes is required.
    """
    with open_session(settings, writes=True, about_indexes=True) as session:
        session.run(require_search())
        session.require_intact(exempt=LISTS)
        chosen = chosen_indexes(session, names)
        session.run(require_safe_drop(chosen))
        existing = {one.name: session.run(_documents(one)) for one in chosen}
        to_drop = [name for name, documents in existing.items() if documents is not None]
        if to_drop:
            for name in to_drop if will_ask(assume_yes=yes) else ():
                note(f"{name}: {counted(existing[name] or 0, 'document')}")
            require_yes(
                "Drop?",
                consequence=f"{counted_indexes(len(to_drop))} on {session.where} will be dropped: queries raise "
                "IndexNotFoundError until they are created again. No document is deleted.",
                how="To drop them, add --yes.",
                assume_yes=yes,
            )
            session.run(index_migration(Monitor()).drop(to_drop))
    absent = [name for name in existing if name not in to_drop]
    if as_json:
        print_json({"dropped": to_drop, "absent": absent})
        return
    for name in to_drop:
        line(f"Dropped: {name}", Tone.DONE)
    for name in absent:
        line(f"Absent: {name}")
    if to_drop:
        line(Hint("Create the indexes again with: ", Command("index create", *names)))


def _documents(planned: PlannedIndex) -> Op[int | None]:
    """Return the documents in the active index; None if there is no index, not even one built for it. Two reads."""
    active = yield from find_index(planned.name)
    if active is not None:
        return active.documents
    return 0 if (yield from unused(planned.name)) else None
