"""The models after a sequence of migration files, as the files declare them: no model is imported."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from redstart.display import printable
from redstart.errors import MigrationFileError, MigrationStateError
from redstart.migrations.files.graph import with_dependencies
from redstart.migrations.files.migration_file import MigrationFile
from redstart.migrations.operations.base import DocumentOperation, Operation
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.state import ProjectState
from redstart.next_steps import Hint

FieldPath: TypeAlias = tuple[str, ...]
"""The path of a field: the key prefix of its model, and the names of fields."""


def state_after(files: Iterable[MigrationFile], before: ProjectState | None = None) -> ProjectState:
    """Return the models after all operations of some files.

    Args:
        files: in the order in which they are applied.
        before: the models before them; by default none.

    Raises:
        MigrationFileError: an operation does not fit the models before it.
    """
    state = ProjectState() if before is None else before
    for file in files:
        for number, operation in enumerate(file.operations, start=1):
            try:
                state = operation.apply(state)
            except MigrationStateError as exc:
                raise _misfit(file, number, exc.message, exc.next_step) from exc
            except Exception as exc:  # an argument of a wrong type may raise anything
                raise _misfit(file, number, f"{type(exc).__name__}: {exc}", None) from exc
    return state


def _misfit(file: MigrationFile, number: int, reason: str, hint: str | Hint | None) -> MigrationFileError:
    return MigrationFileError(
        f"{printable(file.source)}: operation {number} does not fit the files before it. {printable(reason)}",
        hint or "Correct the operation, or the dependencies of the file.",
    )


def require_valid(operations: Iterable[Operation], before: ProjectState) -> None:
    """Raise MigrationStateError if an operation does not fit, or contains a value that cannot be stored."""
    state = before
    for operation in operations:
        if isinstance(operation, DocumentOperation):
            _ = operation.bind(state)
        state = operation.apply(state)


def merged_state(files: Sequence[MigrationFile], heads: Sequence[str]) -> ProjectState:
    """Return the models after all files, if it does not depend on the order of their branches.

    Args:
        files: all files of the project, in order.
        heads: the last file of each branch.

    Raises:
        MigrationFileError: the branches change the same models differently.
    """
    forward, backward = (_in_branches(files, order) for order in (heads, tuple(reversed(heads))))
    try:
        states = state_after(forward), state_after(backward)
    except MigrationFileError as exc:
        raise _conflict(heads, exc.message) from exc
    if states[0] != states[1]:
        raise _conflict(heads, "The models after them depend on which of them comes first.")
    return states[0]


def _conflict(heads: Sequence[str], reason: str) -> MigrationFileError:
    return MigrationFileError(
        f"The branches that end with {' and '.join(heads)} conflict. {reason}",
        f"Let one branch follow the other: in the first file of a branch, replace the dependencies by ['{heads[0]}'], "
        "and adapt its operations.",
    )


def _in_branches(files: Sequence[MigrationFile], heads: Iterable[str]) -> list[MigrationFile]:
    """Return the files in an order that is valid, too: one branch after the other."""
    known = {file.migration_id: file for file in files}
    ids: dict[str, None] = {}
    for head in heads:
        branch = with_dependencies(head, known)
        ids |= dict.fromkeys(file.migration_id for file in files if file.migration_id in branch)
    return [known[name] for name in ids]


def operations_on_reused_paths(operations: Sequence[Operation], before: ProjectState) -> set[int]:
    """Return the positions of operations that remove a field, or move it, and of later ones that add it again.

    Documents do not show whether a value at its path is the old or the new one. So they are changed at once.
    """
    removed_by: dict[FieldPath, int] = {}
    found: set[int] = set()
    for number, (gone, come) in enumerate(removed_and_added_paths(operations, before)):
        for path in come & removed_by.keys():
            found |= {removed_by[path], number}
        removed_by |= dict.fromkeys(gone, number)
    return found


def removed_and_added_paths(
    operations: Iterable[Operation], before: ProjectState
) -> Iterator[tuple[set[FieldPath], set[FieldPath]]]:
    """Yield for each operation the paths of fields that it removes, and of those that it adds."""
    old = set(_field_paths(before))
    for operation in operations:
        before = operation.apply(before)
        new = set(_field_paths(before))
        yield old - new, new - old
        old = new


def _field_paths(state: ProjectState) -> Iterator[FieldPath]:
    for model in state.models.values():
        yield from _paths_in(model.fields, (model.key_prefix,))


def _paths_in(fields: Sequence[FieldState], above: FieldPath) -> Iterator[FieldPath]:
    for one in fields:
        yield (*above, one.name)
        yield from _paths_in(one.fields, (*above, one.name))
