"""Searches for more keys than one search returns: the query is split into ranges of a numeric field.

A search returns at most MAXSEARCHRESULTS documents, and no page reaches beyond them. So the values of a numeric field
are split into ranges that are small enough; the documents without a value are another part.
"""

import sys
from dataclasses import dataclass, replace
from typing import Any, Final

from redstart.documents.query import Query, perform_search
from redstart.effects import Op
from redstart.errors import QueryNotSupportedError
from redstart.mapping.base_model import model_name
from redstart.mapping.field_proxies import FieldProxy, query_field_named
from redstart.mapping.models import RedisModel
from redstart.mapping.type_tree import complete_fields
from redstart.search.expressions import Expression
from redstart.search.query_field import Operand
from redstart.search.search_request import SortBy
from redstart.values.timezones import NaiveTimezone

INFINITY: Final = float("inf")
FARTHEST: Final = sys.float_info.max
MORE_ROWS: Final = 16
"""The factor by which the limit grows if all returned rows are of documents that no longer exist."""


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers from `low` to below `high`; the actual numbers are between `least` and `greatest`."""

    low: float
    high: float
    least: float
    greatest: float

    def conditions(self, number: FieldProxy) -> tuple[Expression, ...]:
        return (number >= self.low, number <= self.high if self.high == INFINITY else number < self.high)

    def halves(self) -> "tuple[_Range, _Range] | None":
        """Return the lower and upper half; None if only one number is left."""
        middle = self.least / 2 + self.greatest / 2
        if not self.least < middle <= self.greatest:
            return None
        return _Range(self.low, middle, self.least, middle), _Range(middle, self.high, middle, self.greatest)


def keys_in_ranges(query: Query[Any], zone: NaiveTimezone, most: int) -> Op[list[bytes]]:
    """Return the keys of a query that finds more than `most` documents, in the order of the query.

    A document whose number changes during the search may be found twice or not at all; any other is found once.

    Raises:
        QueryNotSupportedError: no numeric field can split the documents, or too many have the same number.

    Effects: one FT.SEARCH for each range, and two for the least and the greatest number.
    """
    return (yield from _Parts(query, zone, most).keys())


class _Parts:
    """A query with many results, split by one numeric field of its model."""

    def __init__(self, query: Query[Any], zone: NaiveTimezone, most: int) -> None:
        self._query = query
        self._zone = zone
        self._most = most
        name = _parting_number(query)
        if name is None:
            raise self._too_many("no numeric field divides them into smaller queries")
        self._attribute = name
        self._number = FieldProxy(query.model, (name,))

    def keys(self) -> Op[list[bytes]]:
        found: list[bytes] = []
        least = yield from self._end(descending=False)
        greatest = yield from self._end(descending=True)
        if least is not None and greatest is not None:
            found += yield from self._keys_between(_Range(-INFINITY, INFINITY, least, greatest))
        without = yield from self._keys_where(self._number == None)  # noqa: E711 - a condition
        if without is None:
            raise self._too_many(f"too many have no value of {self._attribute}")
        return found + without  # the server also sorts them last

    def _keys_between(self, part: _Range) -> Op[list[bytes]]:
        keys = yield from self._keys_where(*part.conditions(self._number))
        if keys is not None:
            return keys
        halves = part.halves()
        if halves is None:
            raise self._too_many(f"too many have the same value of {self._attribute}")
        found: list[bytes] = []
        for half in reversed(halves) if self._query.is_descending else halves:
            found += yield from self._keys_between(half)
        return found

    def _keys_where(self, *conditions: Expression) -> Op[list[bytes] | None]:
        """Return the keys that also meet these conditions; None if they are too many."""
        search = self._narrowed(conditions).search(self._zone, limit=self._most)
        reply = yield from perform_search(search)
        return reply.keys if reply.total <= self._most else None

    def _end(self, *, descending: bool) -> Op[float | None]:
        """Return the least number, or the greatest; None if no document that still exists has one."""
        narrowed = self._narrowed((self._number >= -INFINITY,))
        sorted_by_it = replace(narrowed, sort=(SortBy(self._attribute, descending),))
        attribute, limit = self._attribute.encode(), 1
        while True:
            search = sorted_by_it.search(self._zone, limit=limit, keys=False)
            reply = yield from perform_search(replace(search, return_fields=(self._attribute,)))
            # Documents that no longer exist are counted, and may have no number.
            texts = [fields[attribute] for fields in reply.fields if attribute in fields]
            if texts:
                return max(-FARTHEST, min(FARTHEST, float(texts[0])))
            if reply.total <= limit:
                return None
            if limit == self._most:
                raise self._too_many("too many of them have expired or were deleted")
            limit = min(MORE_ROWS * limit, self._most)

    def _narrowed(self, conditions: tuple[Expression, ...]) -> Query[Any]:
        return replace(self._query, conditions=(*self._query.conditions, *conditions))

    def _too_many(self, reason: str) -> QueryNotSupportedError:
        return QueryNotSupportedError(
            f"The query of {model_name(self._query.model)} matches more documents than the server returns in one reply "
            f"(MAXSEARCHRESULTS is {self._most}), and {reason}.",
            "Add a condition, sort by a number or date with Field(sortable=True), "
            "or raise MAXSEARCHRESULTS on the server.",
        )


def _parting_number(query: Query[Any]) -> str | None:
    """Return the numeric field that the query is sorted by.

    If it is not sorted, return any of the model, preferably a sortable one.
    """
    model: type[RedisModel] = query.model
    fields = {name: query_field_named(model, name) for name in complete_fields(model)}
    numbers = {
        field.attribute: field.sortable
        for field in fields.values()
        if field is not None and field.operand is Operand.NUMBER
    }
    if query.sort:
        (sort,) = query.sort
        return sort.attribute if sort.attribute in numbers else None
    return max(numbers, key=lambda attribute: numbers[attribute], default=None)
