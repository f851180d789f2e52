"""Check that the index on the server has the fields of a query, with the types of the model.

The server does not report missing fields: a condition on such a field matches nothing, and its negation everything. So
FT.INFO is read before the first query, again after one second, and before each update or deletion.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

from redstart.commands.search import ft_info
from redstart.documents.query import Query, module_of, sent
from redstart.effects import Op, Request, ServerKnowledge, call, learnt
from redstart.errors import IndexOutdatedError, RedstartError
from redstart.mapping.index_schema import index_of
from redstart.mapping.keys import key_affixes
from redstart.mapping.models import RedisModel
from redstart.search.expressions import Comparison, Expression, FieldExpression, Operator, comparisons_in
from redstart.search.full_text import stop_words_of
from redstart.search.index_info import read_info
from redstart.search.query_field import QueryField
from redstart.search.schema import FieldKind, Index

T = TypeVar("T")

VALID_SECONDS: Final = 1.0
"""An index is replaced by another version of the application, or by a rollback: rarely, but at any time."""


class ServedField(NamedTuple):
    """The properties that determine which documents a comparison with a field finds."""

    kind: FieldKind
    separator: str | None
    case_sensitive: bool

    def __str__(self) -> str:
        words = [self.kind.value]
        if self.separator is not None:
            words += ["SEPARATOR", self.separator]
        if self.case_sensitive:
            words.append("CASESENSITIVE")
        return " ".join(words)


class ServedIndex(NamedTuple):
    """The fields of an index by their names, and its stop words."""

    fields: dict[str, ServedField]
    stop_words: frozenset[str]


class ServedIndexes:
    """The fields of the indexes of one server, by name, and when each index was read."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[float, ServedIndex]] = {}

    def check(self, query: Query[Any], now: float, *, may_be_known: bool) -> Op[ServedIndex]:
        """Return the index of a query, if it can answer it. Raises IndexOutdatedError, IndexNotFoundError."""
        name = query.model._meta.index_name
        when, known = self._read.get(name, (now, None))
        is_valid = may_be_known and now - when <= VALID_SECONDS
        if known is not None and is_valid and _outdated(query, known.fields) is None:
            return known
        index = read_info((yield from sent(name, call(ft_info(name))))).index
        _require_documents(query.model, index)
        served = ServedIndex(_fields_in(index), stop_words_of(index))
        self._read[name] = now, served
        outdated = _outdated(query, served.fields)
        if outdated is not None:
            raise outdated
        return served


def checked(
    query: Query[Any],
    operation_of: Callable[[Query[Any]], Op[T]],
    clock: Callable[[], float],
    *,
    writes: bool = False,
) -> Op[T]:
    """Return the operation, if the index can answer its query.

    Invalid queries are rejected before anything is sent; search words only after the index was read, because it may
    have its own stop words.

    Args:
        clock: seconds, monotonic.
        writes: whether it changes the documents: then the index is read each time, because a negation on an index that
            was just replaced would match every document.

    Raises:
        IndexOutdatedError: the index lacks a field, or has it with another type.
        IndexNotFoundError: it does not exist.

    Effects: FT.INFO, once a second at most unless `writes`; those of the operation.
    """
    served = yield from learnt(ServedIndexes)
    if _asks_for_words(query):
        index = yield from served.check(query, clock(), may_be_known=not writes)
        return (yield from operation_of(replace(query, stop_words=index.stop_words)))
    operation = operation_of(query)
    try:
        request = operation.send(None)
        while isinstance(request, ServerKnowledge):
            request = operation.send((yield request))
    except StopIteration as stop:
        return cast(T, stop.value)
    try:
        _ = yield from served.check(query, clock(), may_be_known=not writes)
    except BaseException:  # also GeneratorExit, which an interrupted driver sends
        operation.close()
        raise
    return (yield from _resumed(operation, request))


def _resumed(operation: Op[T], request: Request) -> Op[T]:
    """Return an operation, starting with its first request."""
    try:
        while True:
            try:
                reply = yield request
            except RedstartError as error:
                request = operation.throw(error)
            else:
                request = operation.send(reply)
    except StopIteration as stop:
        return cast(T, stop.value)
    finally:
        operation.close()


def _asks_for_words(query: Query[Any]) -> bool:
    return any(
        comparison.operator is Operator.MATCHES and comparison.left.query_field().full_text is not None
        for condition in query.conditions
        if isinstance(condition, Expression)
        for comparison in comparisons_in(condition)
    )


def _outdated(query: Query[Any], served: dict[str, ServedField]) -> IndexOutdatedError | None:
    """Return the error for an index with these fields that cannot answer a query; None if it can."""
    needed = _needed_by(query.model)
    name = query.model._meta.index_name
    for field, attribute in _fields_of(query):
        wanted, found = needed.get(attribute), served.get(attribute)
        if wanted is not None and found != wanted:
            is_text_date = (
                field.is_date and found is not None and found.kind in (FieldKind.TAG, FieldKind.TEXT)
            )
            return IndexOutdatedError(
                name,
                module_of(name),
                field.label,
                str(wanted),
                None if found is None else str(found),
                is_text_date=is_text_date,
            )
    for sort in query.sort:
        wanted = needed.get(sort.attribute)
        if wanted is not None and sort.attribute not in served:
            return IndexOutdatedError(
                name, module_of(name), sort.attribute, str(wanted), None, is_text_date=False
            )
    return None


def _require_documents(model: type[RedisModel], index: Index) -> None:
    """Raise IndexOutdatedError if an index is over other documents than those of a model."""
    wanted, (prefix, _) = index_of(model), key_affixes(model)
    if index.storage is wanted.storage and any(prefix.startswith(one) for one in index.prefixes or ("",)):
        return
    name = model._meta.index_name
    raise IndexOutdatedError(
        name,
        module_of(name),
        "documents",
        f"{wanted.storage.name} under {prefix!r}",
        f"{index.storage.name} under {' and '.join(map(repr, index.prefixes))}",
        is_text_date=False,
    )


@cache
def _needed_by(model: type[RedisModel]) -> dict[str, ServedField]:
    """Return the fields of the index that a model needs."""
    return _fields_in(index_of(model))


def _fields_in(index: Index) -> dict[str, ServedField]:
    return {
        field.attribute: ServedField(field.kind, field.separator, field.case_sensitive)
        for field in index.reported().fields
    }


def _fields_of(query: Query[Any]) -> Iterator[tuple[QueryField, str]]:
    """Yield the fields that a query searches, and their names in the index."""
    for condition in query.conditions:
        if isinstance(condition, Expression):
            for comparison in comparisons_in(condition):
                yield _field_of(comparison)
    if query.knn is not None and isinstance(query.knn.vector_field, FieldExpression):
        vector = query.knn.vector_field.query_field()
        yield vector, vector.attribute


def _field_of(comparison: Comparison) -> tuple[QueryField, str]:
    field = comparison.left.query_field()
    is_text = comparison.operator is Operator.MATCHES
    return field, (field.full_text or field.attribute) if is_text else field.attribute
