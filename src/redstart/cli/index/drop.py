"""`om index drop`."""

import click

from redstart.cli.index.models import chosen_indexes, index_options
from redstart.cli.index_report import counted_indexes, index_migration
from redstart.cli.options import Settings, require_yes, will_ask
from redstart.cli.output import Tone, counted, line, note, print_json
from redstart.cli.session import open_session
from redstart.effects import Op
from redstart.migrations.context import Monitor
from redstart.migrations.data.damage import LISTS
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.indexes.preflight import require_safe_drop
from redstart.migrations.indexes.swap import unused
from redstart.migrations.server_checks import require_search
from redstart.next_steps import Command, Hint


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
