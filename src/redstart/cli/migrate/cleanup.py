"""`om migrate cleanup`: drop unused indexes."""

import click

from redstart.cli.index_report import counted_indexes, index_migration
from redstart.cli.options import Settings, common, confirm, will_ask, yes
from redstart.cli.output import Tone, line, print_json
from redstart.cli.session import open_session
from redstart.migrations.data.damage import LISTS
from redstart.migrations.indexes.migrator import unused_indexes


@click.command()
@click.option("--dry-run", is_flag=True, help="List what would be dropped; write nothing.")
@yes
@common
def cleanup(settings: Settings, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop the indexes that Redstart built and no alias points to. Never deletes documents."""
    with open_session(settings, writes=not dry_run, needs_models=False) as session:
        session.require_intact(exempt=LISTS)
        if dry_run:
            names = session.run(unused_indexes())
        else:
            if will_ask(assume_yes=yes) and (unused := session.run(unused_indexes())):
                confirm(
                    f"Drop {len(unused):,} unused {'index' if len(unused) == 1 else 'indexes'} on {session.where}? "
                    "No document is deleted; it takes less than a second.",
                    assume_yes=yes,
                )
            names = session.run(index_migration(session.context().monitor).cleanup())
    if as_json:
        print_json({"dropped": [] if dry_run else names, "would_drop": names if dry_run else []})
    elif not names:
        line("Nothing to drop: no unused indexes.", Tone.DONE)
    elif dry_run:
        line(f"Dry run: {counted_indexes(len(names))} would be dropped; nothing was written.")
    else:
        line(f"Dropped {counted_indexes(len(names))}.", Tone.DONE)
    for name in () if as_json else names:
        line(f"  {name}")
