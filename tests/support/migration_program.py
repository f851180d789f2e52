"""A migration as a process of its own, to be killed: `python -m tests.support.migration_program URL run|rollback`."""

import sys

from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.lease_state import is_gone
from redstart.server.clients import open_sync
from tests.support.migration import new_context, options, station_plan


def main(url: str, operation: str) -> str | None:
    """Run or roll back to the end. Why it ended early, if it did."""
    context = new_context(is_gone=is_gone)
    with open_sync(url) as driver:
        if operation == "run":
            return driver.run(run(context, station_plan(), options(FailureMode.QUARANTINE))).stopped
        return driver.run(rollback(context, batch_documents=40)).stopped


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
