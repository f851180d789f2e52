"""`Field()` and the options that it adds to pydantic's.

The options travel in pydantic's own metadata list. Pydantic recreates the objects that describe fields (for
`Annotated`, generics, forward references) without their subclass, but always keeps their metadata.
"""

import dataclasses
import inspect
import sys
import warnings
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import pydantic.fields
from pydantic_core import PydanticUndefined

from redstart.display import did_you_mean
from redstart.errors import RedisModelError
from redstart.mapping.pydantic_internals import copy_attributes
from redstart.mapping.type_tree import annotated_metadata
from redstart.mapping.vectors import VectorFieldOptions

TAG_SEPARATOR: Final = "|"
"""The default separator of the tags in one text."""


@dataclasses.dataclass(frozen=True, slots=True)
class FieldOptions:
    """The arguments of `Field()` that pydantic does not have. None: not given."""

    primary_key: bool = False
    sortable: bool | None = None
    case_sensitive: bool | None = None
    index: bool | None = None
    full_text_search: bool | None = None
    vector_options: VectorFieldOptions | None = None
    expire: int | None = None
    separator: str = TAG_SEPARATOR
    renamed_from: str | None = None


OPTIONS: Final = {option.name: option.default for option in dataclasses.fields(FieldOptions)}

IGNORED: Final = {
    "allow_mutation": "frozen=",
    "const": "a Literal type",
    "include": "the arguments of model_dump()",
    "max_items": "max_length=",
    "min_items": "min_length=",
    "regex": "pattern=",
    "unique_items": "a set type",
}
"""Arguments of pydantic 1, with their replacements.

redis-om ignores them; if they were applied, stored values could be rejected.
"""

PYDANTIC_ARGUMENTS: Final = frozenset(inspect.signature(pydantic.Field).parameters)

MIN_LIKENESS: Final = 0.8
"""With a lower value, `index_name` or `sort`, which pydantic passes to the JSON schema, would count as misspelled."""

V = TypeVar("V")


class _Option(Generic[V]):
    """An option as an attribute of a `FieldInfo`, which can be assigned until the field is in a model."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, field: "FieldInfo", owner: type | None = None) -> V:
        if field is None:
            raise AttributeError(self._name)
        value: V = getattr(field_options(field), self._name)
        return value

    def __set__(self, field: "FieldInfo", value: V) -> None:
        if hasattr(field, "name"):
            raise AttributeError(
                f"{self._name} of the field {field.name!r} cannot be changed after the model is created. "
                "Pass it to Field()."
            )
        options = dataclasses.replace(field_options(field), **_given({self._name: value}))
        field.metadata = [item for item in field.metadata if not isinstance(item, FieldOptions)] + [options]


class FieldInfo(pydantic.fields.FieldInfo):  # type: ignore[misc]  # final for type checkers; the API promises this
    """The description of a field by pydantic, with the options of Redstart as attributes.

    Args:
        default: the value if none is given.
        arguments: those of `Field()`.
    """

    name: str
    """The name of the field, once it is in a model."""

    primary_key: _Option[bool] = _Option()
    sortable: _Option[bool | None] = _Option()
    case_sensitive: _Option[bool | None] = _Option()
    index: _Option[bool | None] = _Option()
    full_text_search: _Option[bool | None] = _Option()
    vector_options: _Option[VectorFieldOptions | None] = _Option()
    expire: _Option[int | None] = _Option()
    separator: _Option[str] = _Option()
    renamed_from: _Option[str | None] = _Option()

    def __init__(self, default: Any = PydanticUndefined, **arguments: Any) -> None:
        options = FieldOptions(**_given({name: arguments.pop(name) for name in OPTIONS if name in arguments}))
        if options.index is False and (
            options.sortable or options.full_text_search or options.vector_options is not None
        ):
            warnings.warn(
                "Field(index=False) has no effect: sortable, full_text_search and vector_options imply index=True. "
                "Remove one of the two.",
                stacklevel=_outside(),
            )
        _ = arguments.pop("annotation", None)  # for a field in a model, it is the annotation in the class
        for name in IGNORED.keys() & arguments.keys():
            del arguments[name]
            warnings.warn(
                f"Field({name}=) has no effect. Use {IGNORED[name]} instead.", stacklevel=_outside()
            )
        _reject_misspelled(arguments)
        described = pydantic.Field(default, **arguments)
        copy_attributes(described, self)
        self.metadata = [*described.metadata, options]


def _reject_misspelled(arguments: Mapping[str, Any]) -> None:
    """Raise RedisModelError for an argument that is similar to an option. Pydantic accepts all other arguments."""
    for name in arguments.keys() - PYDANTIC_ARGUMENTS:
        question = did_you_mean(name, OPTIONS, min_likeness=MIN_LIKENESS)
        if question:
            raise RedisModelError(f"Field() has no option {name!r}.", question)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options without undefined ones, which other libraries may pass."""
    return {name: OPTIONS[name] if value is PydanticUndefined else value for name, value in options.items()}


def _outside() -> int:
    """Return the `stacklevel` of the first caller that is not in this module."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        level, frame = level + 1, frame.f_back
    return level


def Field(  # noqa: N802 - the name in redis-om and pydantic
    default: Any = PydanticUndefined,
    *,
    primary_key: bool = False,
    sortable: bool | None = None,
    case_sensitive: bool | None = None,
    index: bool | None = None,
    full_text_search: bool | None = None,
    vector_options: VectorFieldOptions | None = None,
    expire: int | None = None,
    separator: str = TAG_SEPARATOR,
    renamed_from: str | None = None,
    **pydantic_field_kwargs: Any,
) -> Any:
    """Declare a field, with the arguments of pydantic's `Field()` and options for its storage and its index.

    Args:
        default: the default value.
        primary_key: use the field as the primary key, instead of the ULID `pk`. One per model.
        sortable: allow `sort_by`. Implies `index`.
        case_sensitive: distinguish upper and lower case in comparisons of text.
        index: allow conditions on the field.
        full_text_search: allow full-text search with `%`. Implies `index`.
        vector_options: index the field as a vector with these options. Implies `index`.
        expire: seconds after which the server deletes this field of a hash, counted from its first save.
        separator: the character that separates tags in a text.
        renamed_from: the former name of the field, under which it is read and written, too, until a migration has
            renamed it in all documents.

    Returns:
        A `FieldInfo`. It is typed as Any, as with pydantic, so that it can be the default of any field.
    """
    return FieldInfo(
        default,
        primary_key=primary_key,
        sortable=sortable,
        case_sensitive=case_sensitive,
        index=index,
        full_text_search=full_text_search,
        vector_options=vector_options,
        expire=expire,
        separator=separator,
        renamed_from=renamed_from,
        **pydantic_field_kwargs,
    )


def give_names(fields: Mapping[str, pydantic.fields.FieldInfo]) -> None:
    """Give the fields of a model their `name`."""
    for name, field in fields.items():
        if isinstance(field, FieldInfo):
            field.name = name


def field_options(field: pydantic.fields.FieldInfo) -> FieldOptions:
    """Return the options of a field of a model, given with `= Field()`, with `Annotated`, or inside Optional.

    Options of the field itself take precedence over those inside Optional.
    """
    outer = [item for item in field.metadata if isinstance(item, FieldOptions)]
    inner = [
        option
        for item in annotated_metadata(field.annotation)
        if isinstance(item, pydantic.fields.FieldInfo)
        for option in item.metadata
        if isinstance(option, FieldOptions)
    ]
    merged = FieldOptions()
    for options in [*inner, *outer]:
        given_options = {
            option.name: getattr(options, option.name)
            for option in dataclasses.fields(FieldOptions)
            if getattr(options, option.name) != option.default
        }
        merged = dataclasses.replace(merged, **given_options)
    return merged
