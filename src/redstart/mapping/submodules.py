"""Import of all modules of a package, to declare their models."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType


def import_submodules(root_module_name: str) -> None:
    """Import a module and, if it is a package, all modules inside it, so that their models are known.

    Raises:
        ImportError: one of them cannot be imported. What a module raises itself comes as it is.
    """
    for name in names_inside(import_module(root_module_name)):
        import_module(name)


def names_inside(module: ModuleType) -> Iterator[str]:
    """Yield the names of all modules in a package, but for those that are programs.

    Packages among them are imported.
    """
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), prefix=f"{module.__name__}."):
        if not info.name.endswith(".__main__"):
            yield info.name
