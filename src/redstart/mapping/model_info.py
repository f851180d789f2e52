"""Declarations of models, as migrations need them, and the import of modules with models."""

import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from redstart.mapping.base_model import model_name, storage_of_documents
from redstart.mapping.index_schema import reference_schema
from redstart.mapping.keys import key_affixes
from redstart.mapping.models import RedisModel
from redstart.mapping.temporal_paths import TemporalPaths, temporal_paths
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class ModelDeclaration:
    """One model as migrations see it.

    Args:
        name: `package.module.Class`.
        key_prefix: the part of its keys before the primary key.
        key_suffix: the part after the primary key, usually empty.
        storage: hashes or JSON.
        paths: the paths of dates and datetimes in its documents.
        model: the class itself.
    """

    name: str
    key_prefix: str
    key_suffix: str
    storage: Storage
    paths: TemporalPaths
    model: type[Any]

    def primary_key_in(self, key: bytes) -> str:
        """Return the primary key inside the key of a document."""
        end = len(key) - len(self.key_suffix.encode())
        return key[len(self.key_prefix.encode()) : end].decode(errors="backslashreplace")


def declare(model: type[RedisModel]) -> ModelDeclaration:
    """Return the declaration of a model.

    Raises:
        RedisModelError: it is abstract or embedded, or its keys or annotations cannot be interpreted.
    """
    name = model_name(model)
    storage = storage_of_documents(model)
    paths = temporal_paths(model)
    model._check_fields()  # again: names that were undefined when the class was created may be defined now
    key_prefix, key_suffix = key_affixes(model)
    return ModelDeclaration(
        name=name,
        key_prefix=key_prefix,
        key_suffix=key_suffix,
        storage=storage,
        paths=paths,
        model=model,
    )


def distinct(declarations: Iterable[ModelDeclaration]) -> list[ModelDeclaration]:
    """Return each model once: a sync and an async declaration with the same keys are one model."""
    found: dict[object, ModelDeclaration] = {}
    for one in declarations:
        same = (one.key_prefix, one.key_suffix, one.storage, one.paths, reference_schema(one.model))
        _ = found.setdefault((one.model._meta.index_name, *same), one)
    return list(found.values())


def overlapping(
    declarations: Iterable[ModelDeclaration],
) -> Iterator[tuple[ModelDeclaration, ModelDeclaration]]:
    """Return pairs of models in which the keys of the second begin with the key prefix of the first."""
    declared = sorted(declarations, key=lambda declaration: declaration.key_prefix)
    for at, outer in enumerate(declared):
        for inner in declared[at + 1 :]:
            if inner.key_prefix.startswith(outer.key_prefix):
                yield outer, inner


def import_submodules(root_module_name: str) -> None:
    """Import a module and, if it is a package, all modules inside it, to register their models.

    Raises:
        ImportError: one of them cannot be imported. Errors that a module raises itself are propagated.
    """
    for name in names_inside(import_module(root_module_name)):
        import_module(name)


def names_inside(module: ModuleType) -> Iterator[str]:
    """Yield the names of all modules in a package, except programs.

    Packages among them are imported.
    """
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), prefix=f"{module.__name__}."):
        if not info.name.endswith(".__main__"):
            yield info.name
