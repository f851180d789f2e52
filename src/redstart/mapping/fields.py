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
    """What `Field()` says beyond pydantic. None means that it was not said."""

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
    """Of the field, once it is in a model."""

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
    """Describe a field: pydantic's arguments, and how Redis keeps and indexes it.

    Args:
        default: the value of a field that is not given.
        primary_key: this field is the document's key, in place of the ULID `pk`. One per model.
        sortable: queries may sort by it.
        case_sensitive: tags keep their case.
        index: queries may filter by it.
        full_text_search: queries may search its words.
        vector_options: it is a vector, indexed like this.
        expire: seconds after which this field of a hash expires, from its first save on.
        separator: the character between the tags of one value.

    Returns:
        A `FieldInfo`; typed as Any, as pydantic's, so that it can stand as any field's default.
    """
    if index is False and (sortable or full_text_search or vector_options is not None):
        warnings.warn(
            "Field(index=False) is indexed all the same where it is sortable, a vector or searched for words: "
            "take one of the two away.",
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
    """Tell the fields of a model what they are called."""
    for name, field in fields.items():
        if isinstance(field, FieldInfo):
            field.name = name


def field_options(field: pydantic.fields.FieldInfo) -> FieldOptions:
    """The options of a model's field, wherever they were given: `= Field()`, `Annotated`, or inside Optional.

    What stands on the field wins over what stands inside Optional.
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
