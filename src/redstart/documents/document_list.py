"""Results of queries: lists that Jupyter shows as tables."""

from collections.abc import Mapping
from html import escape
from typing import Any, Final, TypeVar

from redstart.display import cut, printable
from redstart.documents.projection import PartialModel
from redstart.mapping.models import RedisModel

T = TypeVar("T")

MAX_ROWS: Final = 100
MAX_CHARACTERS: Final = 80


class DocumentList(list[T]):
    """A list of documents."""

    def _repr_html_(self) -> str:
        """Return a table for Jupyter: a row for each document, at most `MAX_ROWS`, and a column for each field."""
        rows = [_values_of(one) for one in self[:MAX_ROWS]]
        names = list(dict.fromkeys(name for row in rows for name in row))
        head = "".join(f"<th>{_cell(name)}</th>" for name in names)
        body = "".join(
            f"<tr>{''.join(f'<td>{_cell(row[name]) if name in row else str()}</td>' for name in names)}</tr>"
            for row in rows
        )
        count = f"{len(self):,} document{'' if len(self) == 1 else 's'}"
        shown = f", {MAX_ROWS} of them shown" if len(self) > MAX_ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{count}{shown}</p>"


def _values_of(document: Any) -> Mapping[str, Any]:
    if isinstance(document, RedisModel):
        return {name: getattr(document, name) for name in type(document).model_fields}
    if isinstance(document, PartialModel):
        return document._values
    return document if isinstance(document, Mapping) else {"": document}


def _cell(value: object) -> str:
    return escape(cut(printable(str(value)), MAX_CHARACTERS))
