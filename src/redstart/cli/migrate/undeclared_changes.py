"""Undeclared changes of models in commands: what documents show, and the operation that is missing."""

from collections.abc import Collection, Sequence
from typing import Any

from redstart.cli.migrate.file_estimates import APPLY
from redstart.cli.migrate.project_files import file_migrations, load, look, root_of
from redstart.cli.model_loading import load_declarations
from redstart.cli.options import Settings
from redstart.cli.output import Tone, line, warn
from redstart.cli.session import Session
from redstart.errors import ConfigurationError, MigrationError
from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.files.graph import state_after
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.model_fit import unmanaged
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.undeclared_changes import (
    DeclaredElsewhere,
    UndeclaredChange,
    find_undeclared_changes,
)
from redstart.next_steps import Hint


def project_of(session: Session) -> ProjectFiles | None:
    """Return the migration files of the project; None if there are none."""
    return look(session, root_of(None), may_be_damaged=True) if load(root_of(None)).are_in_use else None


def find_changes(
    session: Session,
    files: ProjectFiles | None,
    declarations: Sequence[ModelDeclaration] | None = None,
    *,
    with_declared: bool = False,
) -> list[UndeclaredChange]:
    """Return the changes of models that documents show and no migration file declares.

    Args:
        files: the migration files of the project; None if there are none.
        declarations: the models; those of the session by default.
        with_declared: whether to return changes of incomplete files, too.
    """
    models = session.declarations if declarations is None else declarations
    if not models:
        return []
    migration = session.migration()
    names = [one.name for one in planned_indexes(models)]
    places = [
        one
        for one in session.run(unmanaged(models, names, session.keys))
        if not one.key_prefix.startswith(tuple(migration.exclude_prefixes))
    ]
    has_files = files is not None and files.loaded.are_in_use
    transformation = session.context().transformation
    found = session.run(
        find_undeclared_changes(
            models,
            places,
            session.naive_timezone,
            transformation,
            has_files=has_files,
            exclude_prefixes=migration.exclude_prefixes,
        )
    )
    declared = _declared_in(session, files) if has_files and files is not None else DeclaredElsewhere()
    return [one for one in found if with_declared or not declared.has(one)]


def _declared_in(session: Session, files: ProjectFiles) -> DeclaredElsewhere:
    """Return what pending and started files change, and what applied ones remove at the cleanup."""
    history = files.history
    if history.problems or len(history.heads) > 1:
        return DeclaredElsewhere()
    complete = {item.migration_id for item in history.items if item.entry is not None and not item.started}
    to_clean_up = set(file_migrations(session, files).to_contract())
    states = [ProjectState()]
    operations: list[Operation] = []
    left: set[str] = set()
    for file in history.files:
        try:
            states.append(state_after([file], states[-1]))
        except MigrationError:  # an operation does not fit: `check` and `run` report it
            return DeclaredElsewhere()
        if file.migration_id not in complete:
            operations += file.operations
        elif file.migration_id in to_clean_up:
            operations += [one for one in file.operations if getattr(one, "only_removes", False)]
            before, after = ({one.key_prefix for one in state.models.values()} for state in states[-2:])
            left |= before - after  # with their index, and the documents of a removed model
    return DeclaredElsewhere.by(operations, states, left)


def require_no_undeclared_changes(session: Session, models: Collection[str], *, accept: bool) -> None:
    """Raise MigrationError if documents would be lost to the application, as after a rename. Warn of all else.

    Args:
        models: names of the models whose indexes are to be changed.
        accept: whether to warn only.
    """
    files = project_of(session)
    found = find_changes(session, files, with_declared=True)
    refusing = [one for one in found if one.refuses and one.model in models]
    for one in found if accept else [one for one in found if not one.refuses]:
        warn(Hint(f"{one.message} ", one.hint))
    if refusing and not accept:
        declared = DeclaredElsewhere() if files is None else _declared_in(session, files)
        hint = (
            Hint("Apply the pending files with: ", APPLY) if declared.has(refusing[0]) else refusing[0].hint
        )
        raise MigrationError(
            "\n".join(one.message for one in refusing),
            Hint(hint, "\nTo change the indexes nevertheless, add --accept-unreadable."),
        )


def draw_changes(found: Sequence[UndeclaredChange]) -> None:
    """Print changes, each with the next step."""
    for one in found:
        line(one.message, Tone.WARNING)
        line(one.hint)


def changes_report(found: Sequence[UndeclaredChange]) -> list[dict[str, Any]]:
    """Return changes for --json."""
    return [one.as_dict() for one in found]


def models_to_check(settings: Settings) -> list[ModelDeclaration]:
    """Return the models, for commands that need none; no models, and a warning, if they cannot be loaded."""
    if not settings.models:
        return []
    try:
        return load_declarations(settings.models)
    except ConfigurationError as exc:
        warn(f"The models were not compared with the documents. {exc.message}")
        return []
