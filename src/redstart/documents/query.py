"""Queries: which documents of a model are asked for, in which order, and one search for some of them."""

from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from redstart.commands.search import SearchReply, ft_aggregate_keys, ft_search, says_no_such_index
from redstart.documents.access import raise_if_module_missing
from redstart.documents.forms import form_of
from redstart.effects import Call, Op, call
from redstart.errors import CommandFailed, IndexMissing, QueryNotSupportedError
from redstart.mapping.annotations import complete_fields
from redstart.mapping.models import RedisModel
from redstart.mapping.proxies import query_field_named
from redstart.mapping.registry import model_name
from redstart.search.expressions import Expression, Operand
from redstart.search.options import SearchQuery, SortBy
from redstart.search.query_text import query_text
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)
T = TypeVar("T")

SORTABLE: Final = (Operand.TEXT, Operand.TAG, Operand.BOOLEAN, Operand.NUMBER)


@dataclass(frozen=True, slots=True)
class Query(Generic[M]):
    """What is asked for: documents of a model that meet all conditions, in some order."""

    model: type[M]
    conditions: tuple[Expression, ...] = ()
    sort: tuple[SortBy, ...] = ()

    def sorted_by(self, *fields: str) -> "Query[M]":
        """The same, sorted by fields; `-field` descending, `part__field` of an embedded document.

        Raises:
            QueryNotSupportedError: E2, one cannot be sorted by.
        """
        return replace(self, sort=tuple(_sort_by(self.model, field) for field in fields))

    @property
    def is_descending(self) -> bool:
        """Whether it is sorted from the greatest to the least."""
        return any(one.descending for one in self.sort)

    def search(self, zone: NaiveTimezone, *, offset: int = 0, limit: int, keys: bool = True) -> SearchQuery:
        """One search; `keys` without the documents. Raises QueryError."""
        return SearchQuery(
            self.model._meta.index_name,
            query_text(self.conditions, zone),
            offset=offset,
            limit=limit,
            sort=self.sort,
            nocontent=keys,
            complete=True,
        )


def query_of(model: type[M], conditions: tuple[Any, ...]) -> Query[M]:
    """A query for the documents that meet all conditions; those are looked at when it is sent.

    Raises:
        RedisModelError: the model has no documents of its own.
    """
    _ = form_of(model)
    return Query(model, conditions)


def _sort_by(model: type[RedisModel], name: str) -> SortBy:
    path = name.removeprefix("-")
    field = query_field_named(model, path)
    if field is None or field.operand not in SORTABLE:
        problem = (
            "there is no such field" if field is None else "the index has no text, number or boolean of it"
        )
        raise QueryNotSupportedError(
            f"You tried to sort by {model_name(model)}.{path}, but {problem}.",
            f"Declare it with Field(sortable=True), then: om migrate run. Fields: {', '.join(complete_fields(model))}",
            field=f"{model_name(model)}.{path}",
            code="E2",
        )
    return SortBy(field.attribute, descending=name.startswith("-"))


def perform_search(search: SearchQuery) -> Op[SearchReply]:
    """Send a search. Raises IndexMissing, CapabilityMissing."""
    return (yield from _sent(search, ft_search(search.arguments(), content=not search.nocontent)))


def keys_in_order(search: SearchQuery) -> Op[list[bytes]]:
    """The keys of a search that sorts by several fields. One FT.AGGREGATE. Raises IndexMissing, CapabilityMissing."""
    return (yield from _sent(search, ft_aggregate_keys(search.keys_arguments())))


def _sent(search: SearchQuery, request: Call[T]) -> Op[T]:
    try:
        return (yield from call(request))
    except CommandFailed as error:
        if says_no_such_index(error):
            raise IndexMissing(search.index) from error
        raise_if_module_missing(error)
        raise
