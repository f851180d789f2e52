"""What `import aredis_om` finds inside a migration file: redis-om where it is installed, else Redstart's names.

Files that redis-om wrote import it. They are given an `import` of their own for that, also inside their functions;
`sys.modules` stays as it is, so that no other module ever meets one library under the name of the other.
"""

import builtins
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

IN_PLACE_OF: Final = {"aredis_om": "redstart.aio", "redis_om": "redstart"}


def builtins_of_a_file() -> dict[str, Any]:
    """What a migration file finds as its builtins."""
    return vars(builtins) | {"__import__": _import}


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - the names that Python itself gives these
    locals: Mapping[str, object] | None = None,  # noqa: A002 - as above
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """As `builtins.__import__`, but for what redis-om would have, and is not there."""
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
            f"redis-om is not installed, and Redstart has nothing in place of {library}.{path}",
            name=f"{library}.{path}",
        ) from exc
    # `import a.b` binds `a`; `from a import b` may mean a module.
    return builtins.__import__(own, None, None, fromlist, 0) if fromlist else import_module(package)
