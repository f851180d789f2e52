"""Imports of redis-om inside a migration file: redis-om if it is installed, else Redstart's names.

Files that redis-om wrote import it. They get their own `__import__` for that, also inside their functions.
`sys.modules` is not changed, so that no other module gets one library under the name of the other.
"""

import builtins
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

IN_PLACE_OF: Final = {"aredis_om": "redstart.aio", "redis_om": "redstart"}


def builtins_of_a_file() -> dict[str, Any]:
    """Return the builtins of a migration file."""
    return vars(builtins) | {"__import__": _import}


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - the names that Python itself gives these
    locals: Mapping[str, object] | None = None,  # noqa: A002 - as above
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """Like `builtins.__import__`, with Redstart's modules in place of a missing redis-om."""
    try:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    except ModuleNotFoundError as exc:
        library, _, path = name.partition(".")
        if level or library not in IN_PLACE_OF or not f"{name}.".startswith(f"{exc.name}."):
            raise
        return _ours(library, path, fromlist)


def _ours(library: str, path: str, fromlist: Sequence[str] | None) -> Any:
    package = IN_PLACE_OF[library]
    own = f"{package}.{path}" if path else package
    try:
        _ = import_module(own)
    except ModuleNotFoundError as exc:
        if not f"{own}.".startswith(f"{exc.name}."):
            raise
        raise ModuleNotFoundError(
            f"redis-om is not installed, and Redstart has no equivalent of {library}.{path}",
            name=f"{library}.{path}",
        ) from exc
    # `import a.b` binds `a`; `from a import b` may mean a module.
    return builtins.__import__(own, None, None, fromlist, 0) if fromlist else import_module(package)
