"""What `create` and `merge` share: the directory, the files before the new one, and the report."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from redstart.cli.migrate.project_files import load, load_redis_om
from redstart.cli.options import confirm
from redstart.cli.output import Tone, line
from redstart.display import printable
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.ledger import Ledger
from redstart.migrations.files.new_file import new_id, write_file
from redstart.migrations.files.project_history import ProjectHistory, project_history
from redstart.migrations.operations.base import Operation


def history_of(root: Path) -> ProjectHistory:
    """Return the files of a directory in order, without the record on a server.

    Raises:
        ConfigurationError: the directory cannot be listed.
        MigrationFileError: a file cannot be used.
    """
    theirs = load_redis_om(root)
    others = {name for found in theirs for name in found.migrations}
    others |= {problem.migration_id for found in theirs for problem in found.problems}
    found = project_history(load(root), Ledger({}, {}), {*others, DATETIME_MIGRATION})
    found.require_usable()
    return found


def write(root: Path, name: str, source: str, *, assume_yes: bool) -> Path:
    """Write a new file, and ask before its directory is created.

    Raises:
        ConfigurationError: the name is invalid, or the file cannot be written.
    """
    migration_id = new_id(name, datetime.now(UTC))
    if not root.exists():
        confirm(f"Create the directory {printable(root)}?", assume_yes=assume_yes, default=True)
    return write_file(root, migration_id, source)


def draw_created(path: Path, operations: Sequence[Operation]) -> None:
    """Print the path of a new file, and what it changes."""
    line(f"Created migration: {printable(path)}", Tone.DONE)
    for operation in operations:
        line(f"  {operation.describe()}{'' if operation.is_reversible else ' (not reversible)'}")
