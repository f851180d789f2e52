"""Prints the names of every module of redis-om, by module: those it makes itself, and what it calls `__all__`.

Runs where only redis-om is.
"""

import importlib
import inspect
import json
import pkgutil
import types
import typing
import warnings
from typing import Any

LIBRARIES = ("redis_om", "aredis_om")
CONSTANTS = ("Coordinates", "CoordinateType", "RadiusUnit", "URL")
"""Of types of other packages, or None."""


def made_there(name: str, value: Any) -> bool:
    """Whether a name of a module is redis-om's own, and public."""
    if name.startswith("_") or isinstance(value, types.ModuleType):
        return False
    if name in CONSTANTS:
        return True
    home = getattr(value, "__module__", None)
    if home is None:
        return value is not None
    return home.startswith(LIBRARIES) or (
        home == "typing" and not any(value is own for own in vars(typing).values())
    )


def main() -> None:
    """Print them as JSON; of functions with the names of their arguments."""
    found = {}
    for library in LIBRARIES:
        package = importlib.import_module(library)
        for info in pkgutil.walk_packages(package.__path__, f"{library}."):
            module = importlib.import_module(info.name)
            names = {name: value for name, value in vars(module).items() if made_there(name, value)}
            found[info.name] = {
                name: list(inspect.signature(value).parameters) if inspect.isfunction(value) else None
                for name, value in names.items()
            }
        found[library] = dict.fromkeys(package.__all__)
    print(json.dumps(found))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
