"""A search with its options, as the arguments of FT.SEARCH."""

from dataclasses import dataclass

from redstart.effects import Argument
from redstart.search.query_compiler import QueryText

DEFAULT_LIMIT = 1000
DIALECT = 2
"""The version of the query language. Version 1 has no parameters, version 3 returns JSON in lists."""


@dataclass(frozen=True, slots=True)
class SortBy:
    """A field to sort by, by its name in the index."""

    attribute: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """One search.

    Args:
        index: the index, or an alias of it.
        query: the query text.
        offset: the number of documents to skip.
        limit: the maximum number of documents to return.
        sort: the order.
        nocontent: return only keys.
        return_fields: return only these fields; in JSON also paths, such as `$.a.b`, `AS`, `b`.
        complete: do not depend on settings of the server: set no timeout, after which servers return a partial result
            (by default 500 ms), and name the version of the query language.
    """

    index: str
    query: QueryText
    offset: int = 0
    limit: int = DEFAULT_LIMIT
    sort: tuple[SortBy, ...] = ()
    nocontent: bool = False
    return_fields: tuple[str, ...] = ()
    complete: bool = False

    def arguments(self) -> list[Argument]:
        """Return FT.SEARCH, in the order of redis-om. It sorts by at most one field."""
        words: list[Argument] = ["FT.SEARCH", self.index, self.query.text, "LIMIT", self.offset, self.limit]
        words += self._order()
        words += self._how_to_read()
        return words + self._what_to_return() + self._how_long()

    def rest(self) -> list[Argument]:
        """Return the arguments of FT.SEARCH after its query, without parameters, dialect and timeout."""
        return ["LIMIT", self.offset, self.limit, *self._order(), *self._what_to_return()]

    def keys_arguments(self) -> list[Argument]:
        """Return FT.AGGREGATE for only the keys, as `@__key`. It sorts by any number of fields."""
        words: list[Argument] = ["FT.AGGREGATE", self.index, self.query.text, *self.keys_rest()]
        return [*words, *self._how_to_read(), *self._how_long()]

    def keys_rest(self) -> list[Argument]:
        """Return the arguments of FT.AGGREGATE after its query, without parameters, dialect and timeout."""
        # The sort fields are not loaded, so that text has the same order as in FT.SEARCH.
        words: list[Argument] = ["LOAD", "1", "@__key", "SORTBY", str(2 * len(self.sort))]
        for one in self.sort:
            words += [f"@{one.attribute}", "DESC" if one.descending else "ASC"]
        return [*words, "LIMIT", self.offset, self.limit]

    def _order(self) -> list[Argument]:
        words: list[Argument] = ["SORTBY"] if self.sort else []
        for one in self.sort:
            words += [one.attribute, "desc" if one.descending else "asc"]
        return words

    def _what_to_return(self) -> list[Argument]:
        words: list[Argument] = ["NOCONTENT"] if self.nocontent else []
        if self.return_fields:
            words += ["RETURN", str(len(self.return_fields)), *self.return_fields]
        return words

    def _how_to_read(self) -> list[Argument]:
        words: list[Argument] = []
        if self.query.parameters:
            words += ["PARAMS", str(2 * len(self.query.parameters))]
            for name, value in self.query.parameters:
                words += [name, value]
        if self.query.parameters or self.complete:
            words += ["DIALECT", str(DIALECT)]
        return words

    def _how_long(self) -> list[Argument]:
        return ["TIMEOUT", 0] if self.complete else []
