"""A search with all that belongs to it, as the words of FT.SEARCH."""

from dataclasses import dataclass

from redstart.effects import Argument
from redstart.search.query_text import QueryText

DEFAULT_LIMIT = 1000


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
        query: what to look for.
        offset: how many documents to skip.
        limit: how many to answer at most.
        sort: in which order.
        nocontent: answer keys only.
        return_fields: answer these fields only; in JSON also paths, as `$.a.b`, `AS`, `b`.
        complete: never answer a part for want of time, as servers do after 500 ms unless told otherwise.
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
        """The command, in the order redis-om writes it. The server takes one field to sort by at most."""
        words: list[Argument] = ["FT.SEARCH", self.index, self.query.text, "LIMIT", self.offset, self.limit]
        if self.sort:
            words.append("SORTBY")
            for one in self.sort:
                words += [one.attribute, "desc" if one.descending else "asc"]
        if self.query.parameters:
            words += ["PARAMS", str(2 * len(self.query.parameters))]
            for name, value in self.query.parameters:
                words += [name, value]
        if self.query.dialect is not None:
            words += ["DIALECT", str(self.query.dialect)]
        if self.nocontent:
            words.append("NOCONTENT")
        if self.return_fields:
            words += ["RETURN", str(len(self.return_fields)), *self.return_fields]
        if self.complete:
            words += ["TIMEOUT", 0]
        return words
