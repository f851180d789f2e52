"""Import the modules of the user's models, and explain why that fails.

Migrations that a module starts on import, such as `Migrator().run()`, are skipped and reported.
"""

import contextlib
import importlib.abc
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from redstart.cli.output import note
from redstart.display import did_you_mean, has_credentials, without_password, without_passwords
from redstart.errors import (
    ConfigurationError,
    DocumentDecodeError,
    IndexNotFoundError,
    IndexOutdatedError,
    RedstartError,
    ServerError,
)
from redstart.mapping.base_model import is_declared_in, models_of_modules, registered_models
from redstart.mapping.model_info import ModelDeclaration, declare, distinct, names_inside
from redstart.mapping.models import RedisModel
from redstart.mapping.redis_om_adapter import redis_om_models, translated
from redstart.migrations.import_guard import is_skipped, no_migrations
from redstart.next_steps import Command, Hint
from redstart.settings import working_directory

_MAX_FRAMES_SHOWN = 3
_IN_PLACE_OF = {"redis_om": "redstart", "aredis_om": "redstart.aio"}


def load_declarations(names: tuple[str, ...]) -> list[ModelDeclaration]:
    """Return the models that modules declare or import; of a package, those of all its modules.

    The current directory is importable.

    Raises:
        ConfigurationError: no module is given, one cannot be imported, or they contain no models.
    """
    if not names:
        raise ConfigurationError(
            "No models were given.",
            "Use --models your_package.models, or set REDSTART_MODELS, "
            "or models = [...] under [tool.redstart] in pyproject.toml.",
        )
    here = working_directory()
    if here is not None and str(here) not in sys.path:
        sys.path.insert(0, str(here))
    modules = [module for name in names for module in _import_all(name)]
    models = dict.fromkeys(models_of_modules(*names))
    registered = set(registered_models())
    for module in modules:
        models |= dict.fromkeys(model for model in vars(module).values() if _is_one_of(model, registered))
    models |= dict.fromkeys(_declared_with_redis_om(names, modules))
    if not models:
        raise ConfigurationError(
            f"No HashModel or JsonModel of redstart or redis-om found in {', '.join(names)}.",
            "Name the module with the models. Abstract (ABC) and embedded models have no documents of their own.",
        )
    return distinct(map(declare, models))


def _declared_with_redis_om(names: tuple[str, ...], modules: list[ModuleType]) -> list[type[RedisModel]]:
    """Return the Redstart counterparts of the redis-om models that these modules declare or import."""
    imported = {id(value) for module in modules for value in vars(module).values()}
    return [
        translated(model)
        for model in redis_om_models()
        if is_declared_in(model, *names) or id(model) in imported
    ]


def _is_one_of(value: object, registered: set[type[RedisModel]]) -> bool:
    return isinstance(value, type) and issubclass(value, RedisModel) and value in registered


def _import_all(name: str) -> list[ModuleType]:
    """Import a module, and every module inside a package."""
    module = _import(name)
    return [module, *(_import(inside, package=name) for inside in names_inside(module))]


def _import(name: str, package: str | None = None) -> ModuleType:
    """Import a module.

    Args:
        package: the package that was given, if the module is imported as a part of it.
    """
    if has_credentials(name):
        raise ConfigurationError(
            f"{without_password(name)} is not the name of a module.",
            "Name the server with --url, and the module with: --models package.models",
        )
    try:
        # Text printed by an imported module must not mix with JSON on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            return import_module(name)
    except (ServerError, DocumentDecodeError) as exc:
        raise _query_at_import(name, exc) from exc
    except RedstartError as exc:
        raise ConfigurationError(f"Invalid model in {name}: {exc.message}", exc.next_step) from exc
    except (Exception, SystemExit) as exc:  # a user's module may raise anything while it is imported
        reason = without_passwords(f"{type(exc).__name__}: {exc}".rstrip(": "))
        raise ConfigurationError(
            f"The module {name!r} cannot be imported: {reason}", _where(name, exc) + _instead_of(package)
        ) from exc


def _query_at_import(name: str, error: RedstartError) -> ConfigurationError:
    """Return the error of a module whose top level uses the server."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == "<module>"
    ]  # the last one belongs to the module that ran the query, which `name` may import
    where = ""
    if frames:
        path = Path(frames[-1].filename)
        is_own = (path.parent.name if path.stem == "__init__" else path.stem) == name.rpartition(".")[2]
        file = "" if is_own else f"{path.name}, "
        where = f" ({file}line {frames[-1].lineno})"
    reason = f": {error.message}"
    if isinstance(error, IndexNotFoundError):
        is_outdated = isinstance(error, IndexOutdatedError)
        reason = f", and its index {'is outdated' if is_outdated else 'does not exist yet'}."
    does = "runs a query" if isinstance(error, IndexNotFoundError) else "uses the server"
    return ConfigurationError(
        f"{name} {does} when it is imported{where}{reason}",
        "Move the models to a module that only declares them, and name that module with --models.",
    )


def _instead_of(package: str | None) -> str:
    """Return how to omit a module that was imported as a part of its package."""
    if package is None:
        return ""
    return (
        f"\nAll modules of the package {package} were imported. "
        f"To load only some modules, list them: --models {package}.models"
    )


def _where(name: str, error: BaseException) -> str:
    """Return the place of an import error in the user's files, or the correct name of the module."""
    if isinstance(error, SyntaxError):
        return without_passwords("".join(traceback.format_exception_only(error)).rstrip())
    if isinstance(error, ModuleNotFoundError) and error.name in _IN_PLACE_OF:
        instead = _IN_PLACE_OF[error.name]
        return f"Change the import of the models to: from {instead} import ...\n{_own_frames(error)}"
    parent = name.rpartition(".")[0]
    is_module = parent in sys.modules and not hasattr(sys.modules[parent], "__path__")
    if isinstance(error, ModuleNotFoundError) and is_module:
        return f"--models takes a module, not a class or file: --models {parent}"
    if name.endswith(".py") and Path(name).is_file():
        return f"--models takes the module of a file, as the application imports it: --models {_module_of(Path(name))}"
    return (
        _own_frames(error)
        or _nearest_module(name)
        or (
            f"Searched {working_directory() or 'no directory'} and the Python path. "
            "Name the module with dots: --models package.models"
        )
    )


def _nearest_module(name: str) -> str:
    """Return the question that names a module next to the one that does not exist; empty if none is near."""
    parent, _, last = name.rpartition(".")
    folders = getattr(sys.modules[parent], "__path__", []) if parent in sys.modules else []
    if not parent:
        here = working_directory()
        folders = [] if here is None else [str(here)]
    names = [info.name for info in pkgutil.iter_modules(folders)]
    question = did_you_mean(last, names)
    return question.replace("'", f"'{parent}.", 1) if question and parent else question


def _module_of(file: Path) -> str:
    """Return the module name of a file, from its outermost package: keys may contain this name."""
    names = [file.stem]
    for folder in file.resolve().parents:
        if not (folder / "__init__.py").exists():
            break
        names.insert(0, folder.name)
    return ".".join(names)


def _own_frames(error: BaseException) -> str:
    """Return the last frames of a traceback outside Redstart and the import machinery."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename
        and not Path(frame.filename).is_relative_to(Path(__file__).parents[1])
    ]
    return without_passwords("".join(traceback.format_list(frames[-_MAX_FRAMES_SHOWN:])).rstrip())


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
