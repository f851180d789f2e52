"""`Field()` and the options it adds to pydantic's.

The options travel in pydantic's own metadata list. Pydantic rebuilds the objects that describe fields (for
`Annotated`, generics, forward references) and forgets subclasses when it does; metadata it always keeps.
"""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import pydantic.fields
from pydantic_core import PydanticUndefined

from redstart.mapping.annotations import annotated_metadata
from redstart.mapping.vectors import VectorFieldOptions


@dataclasses.dataclass(frozen=True, slots=True)
class FieldOptions:
    """The arguments of `Field()` that pydantic does not have. None means: not given."""

    primary_key: bool = False
    sortable: bool | None = None
    case_sensitive: bool | None = None
    index: bool | None = None
    full_text_search: bool | None = None
    vector_options: VectorFieldOptions | None = None
    expire: int | None = None
    separator: str = "|"


class FieldInfo(pydantic.fields.FieldInfo):  # type: ignore[misc]  # final for type checkers; the API promises this
    """What `Field()` returns: pydantic's description of a field, with the options as attributes."""

    name: str
    """The name of the field, once it is in a model."""

    @property
    def primary_key(self) -> bool:
        return field_options(self).primary_key

    @property
    def sortable(self) -> bool | None:
        return field_options(self).sortable

    @property
    def case_sensitive(self) -> bool | None:
        return field_options(self).case_sensitive

    @property
    def index(self) -> bool | None:
        return field_options(self).index

    @property
    def full_text_search(self) -> bool | None:
        return field_options(self).full_text_search

    @property
    def vector_options(self) -> VectorFieldOptions | None:
        return field_options(self).vector_options

    @property
    def expire(self) -> int | None:
        return field_options(self).expire

    @property
    def separator(self) -> str:
        return field_options(self).separator


def Field(
    default: Any = PydanticUndefined,
    *,
    primary_key: bool = False,
    sortable: bool | None = None,
    case_sensitive: bool | None = None,
    index: bool | None = None,
    full_text_search: bool | None = None,
    vector_options: VectorFieldOptions | None = None,
    expire: int | None = None,
    separator: str = "|",
    **pydantic_field_kwargs: Any,
) -> Any:
    """Describe a field: the arguments of pydantic's `Field()`, and how Redis stores and indexes it.

    Args:
        default: the value if none is given.
        primary_key: the field is the primary key, instead of the ULID `pk`. One per model.
        sortable: queries can sort by it. Implies `index`.
        case_sensitive: upper and lower case differ when text is compared.
        index: queries can filter by it.
        full_text_search: queries can search for words in it. Implies `index`.
        vector_options: the field is a vector, and is indexed with these options.
        expire: after how many seconds, counted from its first save, this field of a hash expires.
        separator: the character that separates the tags in one text.

    Returns:
        A `FieldInfo`. It is typed as Any, as with pydantic, so that it can be the default of any field.
    """
    if index is False and (sortable or full_text_search or vector_options is not None):
        warnings.warn(
            "Field(index=False) has no effect: sortable, full_text_search and vector_options index the field, too. "
            "Remove one of the two.",
            stacklevel=2,
        )
    described = pydantic.Field(default, **pydantic_field_kwargs)
    info = FieldInfo.__new__(FieldInfo)
    for slot in pydantic.fields.FieldInfo.__slots__:
        if hasattr(described, slot):
            setattr(info, slot, getattr(described, slot))
    options = FieldOptions(
        primary_key=primary_key,
        sortable=sortable,
        case_sensitive=case_sensitive,
        index=index,
        full_text_search=full_text_search,
        vector_options=vector_options,
        expire=expire,
        separator=separator,
    )
    info.metadata = [*described.metadata, options]
    return info


def give_names(fields: Mapping[str, pydantic.fields.FieldInfo]) -> None:
    """Give the fields of a model their `name`."""
    for name, field in fields.items():
        if isinstance(field, FieldInfo):
            field.name = name


def field_options(field: pydantic.fields.FieldInfo) -> FieldOptions:
    """The options of a model's field, wherever they were given: `= Field()`, `Annotated`, or inside Optional.

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
        said = {
            option.name: getattr(options, option.name)
            for option in dataclasses.fields(FieldOptions)
            if getattr(options, option.name) != option.default
        }
        merged = dataclasses.replace(merged, **said)
    return merged
