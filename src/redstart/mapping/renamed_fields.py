"""Fields with `Field(renamed_from=)`: their former names, and where they are in the documents of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias, get_origin

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from redstart.errors import RedisModelError
from redstart.mapping.base_model import MappedModel
from redstart.mapping.fields import FieldOptions, field_options
from redstart.mapping.primary_keys import DEFAULT_NAME, primary_key_name
from redstart.mapping.pydantic_internals import decorators_of, fields_described
from redstart.mapping.type_tree import (
    aliases_of,
    alternatives,
    complete_fields,
    fields_of,
    is_named_tuple,
    name_of,
    parts_of,
)
from redstart.mapping.value_paths import Segment


@dataclass(slots=True, eq=False)
class RenamedFields:
    """The renamed fields of one structured type, and of the types inside it.

    Args:
        names: the former name of each renamed field, by its name.
        inside: the same for the objects at each place inside: one for each type that may be there.
    """

    names: dict[str, str]
    inside: "dict[Segment, Places]" = field(default_factory=dict)


Places: TypeAlias = tuple[RenamedFields, ...]


def former_names(kind: Any) -> dict[str, str]:
    """Return the former name of each renamed field of a model, dataclass or TypedDict, by its name.

    Raises:
        RedisModelError: a former name is also that of something else.
    """
    names = {
        name: options.renamed_from
        for name, options in _options_of(kind).items()
        if options.renamed_from is not None
    }
    for name, former in names.items():
        problem = _problem(kind, name, former) or next(
            (f"{other} has it, too" for other in names if other != name and names[other] == former), None
        )
        if problem is not None:
            raise RedisModelError(
                f"{name_of(kind)}.{name}: renamed_from={former!r} is not possible: {problem}.",
                "Set renamed_from to the name under which existing documents store the field.",
            )
    return names


def _options_of(kind: Any) -> dict[str, FieldOptions]:
    described = fields_described(get_origin(kind) or kind)
    if described:
        return {name: field_options(one) for name, one in described.items()}
    hints = fields_of(kind) or {}
    return {name: field_options(FieldInfo.from_annotation(hint)) for name, hint in hints.items()}


def _problem(kind: Any, name: str, former: Any) -> str | None:
    """Return why a field cannot have this former name."""
    if not isinstance(former, str) or not former:
        return "it is not the name of a field"
    if is_named_tuple(kind):
        return "a NamedTuple is stored without the names of its fields"
    origin = get_origin(kind) or kind
    if issubclass(origin, MappedModel) and former in (DEFAULT_NAME, primary_key_name(origin)):
        return "it is the primary key"
    described = fields_described(origin)
    if former in (described or fields_of(kind) or ()):
        return "it is the name of a field"
    if issubclass(origin, BaseModel) and former in decorators_of(origin).computed_fields:
        return "it is the name of a computed field"
    owners = (other for other, one in described.items() if other != name and former in aliases_of(one))
    owner = next(owners, None)
    return None if owner is None else f"it is an alias of {owner}"


@cache
def former_names_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the former names of the fields of a model itself, by their names. Raises RedisModelError."""
    return former_names(model)


@cache
def renamed_fields_of(model: type[BaseModel]) -> RenamedFields | None:
    """Return the renamed fields of a model and of the embedded models in it; None if there are none.

    Raises:
        RedisModelError: a former name is not possible, or an annotation cannot be resolved.
    """
    _ = complete_fields(model)
    return _Reader().of_model(model)


class _Reader:
    """Reads annotations. A type may contain itself, so the types read so far are kept."""

    def __init__(self) -> None:
        # Lists, for types such as list[Annotated[int, {}]] cannot be hashed.
        self._known: list[tuple[Any, RenamedFields]] = []
        self._roots: list[Any] = []

    def of_model(self, model: type[BaseModel]) -> RenamedFields | None:
        """Return the renamed fields of a model, without paths that have none."""
        (found,) = self._of_kind(model) or (RenamedFields({}),)
        with_names = self._with_names()
        for _, one in self._known:
            kept = {
                segment: tuple(place for place in places if id(place) in with_names)
                for segment, places in one.inside.items()
            }
            one.inside = {segment: places for segment, places in kept.items() if places}
        return found if id(found) in with_names else None

    def _with_names(self) -> set[int]:
        """Return the identities of the types that have renamed fields, or contain a type that has."""
        found: set[int] = set()
        count = -1
        while len(found) > count:
            count = len(found)
            found |= {
                id(one)
                for _, one in self._known
                if one.names or any(id(place) in found for places in one.inside.values() for place in places)
            }
        return found

    def _of_kind(self, kind: Any) -> Places:
        if isinstance(kind, type) and issubclass(kind, RootModel):
            return self._of_root(kind)
        known = next((found for one, found in self._known if one == kind), None)
        if known is not None:
            return (known,)
        try:
            parts = parts_of(kind)
            names = former_names(kind)
        except NameError:  # pydantic knows what the name refers to; its fields have their own names
            return ()
        if parts is None:
            return ()
        found = RenamedFields(names)
        self._known.append((kind, found))
        found.inside = {segment: self._at(annotation) for segment, annotation in parts}
        return (found,)

    def _of_root(self, kind: type[BaseModel]) -> Places:
        if kind in self._roots:
            return ()
        self._roots.append(kind)
        try:
            return self._at(complete_fields(kind)["root"].annotation)
        finally:
            _ = self._roots.pop()

    def _at(self, annotation: Any) -> Places:
        kinds = list(alternatives(annotation))
        found = [place for kind in kinds for place in self._of_kind(kind)]
        if len(found) > 1:
            _refuse_ambiguous(kinds)
        return tuple(found)


def _refuse_ambiguous(kinds: list[Any]) -> None:
    """Raise RedisModelError if a type of a union has a field with the former name of a field of another one."""
    for kind in kinds:
        for name, former in former_names(kind).items():
            other = next((one for one in kinds if one is not kind and former in (fields_of(one) or ())), None)
            if other is not None:
                raise RedisModelError(
                    f"{name_of(kind)}.{name}: renamed_from={former!r} is not possible: {name_of(other)}, which may "
                    f"be stored in the same place, has a field {former!r}.",
                    "Declare a field for each of the two types.",
                )
