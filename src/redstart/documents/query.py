"""Queries as data: the conditions and the order of documents, and the searches that answer a query.

Searches for parts of tags or words have complete results, whatever the limits of the server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

import msgpack

from redstart.commands.resp import decoded
from redstart.commands.scripts import load, run_script
from redstart.commands.search import SearchReply, ft_aggregate_keys, ft_search
from redstart.commands.server_errors import ScriptErrorCode, is_unknown_index, script_error_code
from redstart.display import did_you_mean, shortened
from redstart.documents.arguments import integer_of, is_omitted, whole_number
from redstart.documents.errors import RAISE, OnError, OnUnreadable, on_unreadable
from redstart.documents.fetch import PAGE_DOCUMENTS, page_size_of, raise_if_module_missing
from redstart.documents.projection import Projection, checked_name, projection_of, returned_fields
from redstart.documents.storage_adapters import storage_adapter
from redstart.effects import Argument, Call, Op, call
from redstart.errors import (
    CommandError,
    IndexNotFoundError,
    QueryNotSupportedError,
    QuerySyntaxError,
)
from redstart.mapping.base_model import model_name, registered_models
from redstart.mapping.field_proxies import query_field_named, reject_foreign_fields
from redstart.mapping.key_overlaps import models_inside
from redstart.mapping.models import RedisModel
from redstart.mapping.type_tree import complete_fields
from redstart.next_steps import Command, Hint
from redstart.search.expressions import Expression, KNNExpression
from redstart.search.full_text import STOP_WORDS
from redstart.search.query_compiler import QueryText, check_knn, query_text
from redstart.search.query_errors import not_knn
from redstart.search.query_field import Operand, TagPattern, WordPattern
from redstart.search.search_request import DIALECT, SearchQuery, SortBy
from redstart.values.timezones import NaiveTimezone


def has_patterns(query: QueryText) -> bool:
    """Return whether the server may truncate the result of a query."""
    return bool(query.patterns or query.words)


def search_whole(command: str, index: str, query: QueryText, rest: Sequence[Argument]) -> Op[Any]:
    """Return the raw reply to FT.SEARCH or FT.AGGREGATE, in the form of RESP2.

    Args:
        rest: the arguments after the query, without parameters, dialect and timeout.

    Raises:
        QueryNotSupportedError: the server does not expand all parts of words.
    """
    return (yield from _answered(query, _asked(index, query) | {"command": command, "rest": list(rest)}))


def refuse_cut(index: str, query: QueryText) -> Op[None]:
    """Raise QueryNotSupportedError if the server would truncate the result of a query. Sends no search."""
    _ = yield from _answered(query, _asked(index, query))


def _asked(index: str, query: QueryText) -> dict[str, Any]:
    return {
        "index": index,
        "parameters": [word for pair in query.parameters for word in pair],
        "texts": query.pieces,
        "patterns": [
            (one.attribute, one.where.value, one.part, one.text, one.term) for one in query.patterns
        ],
        "words": [(one.term, one.text, one.shortest) for one in query.words],
        "rest": [],
    }


def _answered(query: QueryText, asked: dict[str, Any]) -> Op[Any]:
    payload: bytes = msgpack.packb(asked, use_bin_type=False)
    try:
        return (yield from run_script(load("search_patterns.lua"), (), (payload,)))
    except CommandError as error:
        if script_error_code(error) is not ScriptErrorCode.CUT:
            raise
        _, kind, number = error.message.split()[:3]
        of_kind: Sequence[WordPattern | TagPattern] = query.words if kind == "words" else query.patterns
        raise _cut(of_kind[int(number) - 1]) from error


def _cut(pattern: WordPattern | TagPattern) -> QueryNotSupportedError:
    hint = (
        "Search for a longer part, or raise the limit with: redis-cli FT.CONFIG SET MAXPREFIXEXPANSIONS NUMBER "
        "(for short parts, lower MINPREFIX)."
    )
    if isinstance(pattern, WordPattern):
        return QueryNotSupportedError(
            f"Cannot search {pattern.label} for the words {shortened(pattern.value)}: a part is shorter than "
            "MINPREFIX of the server, or it matches more than MAXPREFIXEXPANSIONS words.",
            hint,
            field=pattern.label,
            value=pattern.value,
            code="E5",
        )
    return QueryNotSupportedError(
        f"Cannot search for {shortened(pattern.text)}: it matches more than MAXPREFIXEXPANSIONS values, "
        "or is shorter than MINPREFIX of the server.",
        hint,
        code="E5",
    )


R = TypeVar("R")
T = TypeVar("T")

OTHER_FIELD: Final = "Sort by a string, a number, a date or a boolean."
HINTS_AGAINST_SORTING: Final[Mapping[Operand, tuple[str, str | Hint]]] = {
    Operand.UNINDEXED: (
        "the field is not indexed",
        Hint("Declare it with Field(sortable=True), then: ", Command("migrate run")),
    ),
    Operand.DOCUMENT: (
        "the field is an embedded document",
        "Sort by one of its fields, for example address__city.",
    ),
    Operand.GEO: ("coordinates have no order", OTHER_FIELD),
    Operand.VECTOR: ("vectors have no order", f"{OTHER_FIELD} Nearest neighbours are sorted by distance."),
}
"""For each type of operand that cannot be sorted by, the reason and the alternative."""


@dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """The documents of a model that meet all conditions, in some order.

    Args:
        model: the class of the documents.
        conditions: conditions that all documents have to meet.
        sort: the fields to sort by.
        knn: find only the nearest neighbours of a vector among them.
        offset: how many documents to skip.
        limit: how many to return at most; None for all.
        page_documents: how many are read in one round trip.
        projection: which of their fields to return; None for whole documents.
        nocontent: whether `words` request only keys.
        unreadable: called with the error of each document that cannot be read and is omitted; None to raise the error.
            stop_words: the stop words of the index, if they are known.
    """

    model: type[RedisModel]
    conditions: tuple[Expression, ...] = ()
    sort: tuple[SortBy, ...] = ()
    knn: KNNExpression | None = None
    offset: int = 0
    limit: int | None = None
    page_documents: int = PAGE_DOCUMENTS
    projection: Projection | None = None
    nocontent: bool = False
    unreadable: OnUnreadable | None = None
    stop_words: frozenset[str] = field(default=STOP_WORDS, repr=False)

    @property
    def is_descending(self) -> bool:
        """Return whether it is sorted in descending order."""
        return any(one.descending for one in self.sort)

    @property
    def first_limit(self) -> int:
        """Return how many documents the first search requests."""
        if self.limit is not None:
            return self.limit
        return PAGE_DOCUMENTS if self.knn is None else self.knn.k

    def text(self, zone: NaiveTimezone) -> QueryText:
        """Return the conditions in the query language of the server. Raises QueryError."""
        reject_foreign_fields(self.model, self.conditions)
        return query_text(self.conditions, zone, knn=self.knn, stop_words=self.stop_words)

    def search(self, zone: NaiveTimezone, *, offset: int = 0, limit: int, keys: bool = True) -> SearchQuery:
        """Return one search; with `keys`, for keys instead of documents. Raises QueryError."""
        return SearchQuery(
            self.model._meta.index_name,
            self.text(zone),
            offset=offset,
            limit=limit,
            sort=self.sort or self._by_distance(),
            nocontent=keys,
            complete=True,
        )

    def words(self, zone: NaiveTimezone) -> list[Argument]:
        """Return FT.SEARCH as redis-om writes it. Raises QueryError."""
        search = self.search(zone, offset=self.offset, limit=self.first_limit, keys=self.nocontent)
        returned = () if self.projection is None else returned_fields(self.projection)
        return replace(search, complete=False, return_fields=returned).arguments()

    def _by_distance(self) -> tuple[SortBy, ...]:
        return () if self.knn is None else (SortBy(self.knn.score_field.query_field().attribute),)


def query_of(
    model: type[RedisModel],
    expressions: Sequence[Any] = (),
    *,
    knn: KNNExpression | None = None,
    offset: int = 0,
    limit: int | None = None,
    page_size: int = PAGE_DOCUMENTS,
    sort_fields: Sequence[str] = (),
    projected_fields: Sequence[str] = (),
    nocontent: bool = False,
    return_as_dict: bool = False,
    on_error: OnError = RAISE,
) -> Query[Any]:
    """Return a query for the documents that meet all conditions, which are checked when it is sent.

    Args:
        sort_fields: names of fields; `-age` for descending, `address__city` for an embedded document.
        projected_fields: names of the fields to read; none for all.

    Raises:
        RedisModelError: the model has no documents of its own.
        QueryNotSupportedError: E2, a field cannot be sorted by; or a field to read does not exist.
        QuerySyntaxError: a negative offset or limit, or a page size below 1.
        ValueError: `on_error` has an invalid value.
    """
    if not isinstance(model, type) or not issubclass(model, RedisModel):
        raise TypeError(f"model has to be a class of documents, not {shortened(model)}.")
    _ = storage_adapter(model)
    _ = models_inside(model)  # warns of them
    offset, limit = bounds_of_page(offset, limit)
    page_size = page_size_of("page_size", page_size, error=QuerySyntaxError)
    knn = None if is_omitted(knn) else knn
    if knn is not None:
        if not isinstance(knn, KNNExpression):
            raise not_knn(knn)
        check_knn(knn)
    if knn is not None and len(sort_fields) > 1:
        raise QueryNotSupportedError(
            f"A nearest-neighbour query can be sorted by one field at most, not by {', '.join(sort_fields)}.",
            "Omit sort_by() to sort by distance.",
        )
    projection = None
    if projected_fields or return_as_dict:
        projection = projection_of(model, projected_fields, as_dict=return_as_dict)
    return Query(
        model,
        tuple(expressions),
        tuple(_sort_by(model, field, knn) for field in sort_fields),
        knn,
        offset,
        limit,
        page_size,
        projection,
        nocontent,
        on_unreadable(on_error),
    )


def bounds_of_page(offset: Any, limit: Any) -> tuple[int, int | None]:
    """Return offset and limit as integers; an omitted limit as None. 0 is a limit.

    Raises:
        QuerySyntaxError: a number is out of range.
        TypeError: an argument is not an integer.
    """
    has_no_limit = is_omitted(limit) and whole_number(limit) is None
    return (
        integer_of("offset", offset, error=QuerySyntaxError),
        None if has_no_limit else integer_of("limit", limit, error=QuerySyntaxError),
    )


def _sort_by(model: type[RedisModel], name: str, knn: KNNExpression | None) -> SortBy:
    path = checked_name(name).removeprefix("-")
    field = query_field_named(model, path)
    if field is None:
        names = _sortable_names(model)
        hint = f"{did_you_mean(path, names)} Use one of the sortable fields: {', '.join(names)}".lstrip()
        raise _cannot_sort(model, path, "the field does not exist", hint)
    is_distance = knn is not None and knn.score_field.query_field().attribute == field.attribute
    if not is_distance and field.operand in HINTS_AGAINST_SORTING:
        raise _cannot_sort(model, path, *HINTS_AGAINST_SORTING[field.operand])
    return SortBy(field.attribute, descending=name.startswith("-"))


def _cannot_sort(
    model: type[RedisModel], path: str, problem: str, hint: str | Hint
) -> QueryNotSupportedError:
    label = f"{model_name(model)}.{path}"
    return QueryNotSupportedError(f"Cannot sort by {label}: {problem}.", hint, field=label, code="E2")


def _sortable_names(model: type[RedisModel]) -> list[str]:
    fields = {name: query_field_named(model, name) for name in complete_fields(model)}
    return [name for name, field in fields.items() if field and field.operand not in HINTS_AGAINST_SORTING]


def perform_search(search: SearchQuery) -> Op[SearchReply]:
    """Send a search. Raises IndexNotFoundError, UnsupportedServerError, QueryNotSupportedError."""
    request = ft_search(search.arguments(), content=not search.nocontent)
    if not has_patterns(search.query):
        return (yield from sent(search.index, call(request)))
    whole = search_whole("FT.SEARCH", search.index, search.query, search.rest())
    return request.parse((yield from sent(search.index, whole)))


def raw_reply(query: Query[Any], zone: NaiveTimezone) -> Op[Any]:
    """Return the reply of the server to `query.words`, decoded where it is text.

    Raises:
        IndexNotFoundError, UnsupportedServerError: it cannot be answered.
        QueryNotSupportedError: the server would return a partial result.
    """
    words, text = query.words(zone), query.text(zone)
    index = query.model._meta.index_name
    if has_patterns(text):
        yield from sent(index, refuse_cut(index, text))
    if not text.parameters:
        words += ["DIALECT", str(DIALECT)]
    return (yield from sent(index, call(Call(tuple(words), decoded))))


def keys_in_order(search: SearchQuery) -> Op[list[bytes | None]]:
    """Return the keys of a search with several sort fields; None for each document that no longer exists.

    One FT.AGGREGATE. Raises what `perform_search` raises.
    """
    request = ft_aggregate_keys(search.keys_arguments())
    if not has_patterns(search.query):
        return (yield from sent(search.index, call(request)))
    whole = search_whole("FT.AGGREGATE", search.index, search.query, search.keys_rest())
    return request.parse((yield from sent(search.index, whole)))


def sent(index: str, request: Op[T]) -> Op[T]:
    """Return a request about an index. Raises IndexNotFoundError, UnsupportedServerError."""
    try:
        return (yield from request)
    except CommandError as error:
        if is_unknown_index(error):
            raise IndexNotFoundError(index, module_of(index)) from error
        raise_if_module_missing(error)
        raise


def module_of(index: str) -> str | None:
    """Return the module of the last declared model with this index, for the command that creates it."""
    named = [model.__module__ for model in registered_models() if model._meta.index_name == index]
    return named[-1] if named else None
