"""Skip migrations that a module starts when `om` imports it, such as `Migrator().run()`, and report this on stderr."""

import importlib.abc
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from redstart.cli.output import note
from redstart.migrations.import_guard import is_skipped, no_migrations
from redstart.next_steps import Command, Hint

Names = dict[str, tuple[str, ...]]
"""Functions by class, those of the module itself under ""."""

SCHEMA: Final[Names] = {"IndexMigration": ("run", "create", "drop")}
WRITING: Final[dict[str, Names]] = {
    "model.migrations.migrator": SCHEMA | {"": ("create_index",), "Migrator": ("run",)},  # of 0.x
    "model.migrations.schema.legacy_migrator": SCHEMA | {"": ("create_index",), "SchemaDetector": ("run",)},
    "model.migrations.schema.migrator": {"SchemaMigrator": ("run", "rollback", "downgrade")},
    "model.migrations.data.migrator": {
        "DataMigrator": ("run_migrations", "run_migrations_with_monitoring", "rollback_migration")
    },
}
"""Functions of redis-om that write, by module."""
THEIRS: Final = {
    f"{library}.{module}": names for library in ("redis_om", "aredis_om") for module, names in WRITING.items()
}

_Undo = list[tuple[Any, str, Any]]


@contextmanager
def migrations_skipped() -> Iterator[None]:
    """Skip migrations of Redstart and of redis-om that modules start while they are imported."""
    replaced: _Undo = []
    finder = _Finder(replaced)
    for name, module in list(sys.modules.items()):
        if name in THEIRS:
            _replace(module, replaced)
    sys.meta_path.insert(0, finder)
    try:
        with no_migrations(_report):
            yield
    finally:
        sys.meta_path.remove(finder)
        for owner, name, original in replaced:
            setattr(owner, name, original)


def _report(module: str, call: str) -> None:
    note(f"Skipped: {module} calls {call} when it is imported. `om` imports a module only for its models.")
    note(Hint("Create or change indexes with: ", Command("migrate run")))


class _Finder(importlib.abc.MetaPathFinder):
    """Find modules of redis-om as Python does, and replace the functions that write when a module is loaded."""

    def __init__(self, replaced: _Undo) -> None:
        self._replaced = replaced

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in THEIRS else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_replace(module: ModuleType) -> None:
            execute(module)
            _replace(module, self._replaced)

        spec.loader.exec_module = execute_and_replace  # type: ignore[method-assign]  # of this loader alone
        return spec


def _replace(module: ModuleType, replaced: _Undo) -> None:
    for class_name, names in THEIRS[module.__name__].items():
        owner = getattr(module, class_name, None) if class_name else module
        for name in names:
            original = getattr(owner, name, None)
            if original is not None:
                replaced.append((owner, name, original))
                setattr(
                    owner,
                    name,
                    _skipping(f"{class_name}().{name}()" if class_name else f"{name}()", original),
                )


def _skipping(call: str, original: Any) -> Callable[..., Any]:
    # A module may keep the replacement under its own name; outside `migrations_skipped` it calls the original.
    def skip(*arguments: Any, **options: Any) -> Any:
        return 0 if is_skipped(call) else original(*arguments, **options)

    async def skip_async(*arguments: Any, **options: Any) -> Any:
        return 0 if is_skipped(call) else await original(*arguments, **options)

    return skip_async if inspect.iscoroutinefunction(original) else skip
