"""Fields to compare in tests, without a model."""

from dataclasses import dataclass, replace
from typing import Any

from redstart.search.expressions import FieldExpression
from redstart.search.query_field import Operand, QueryField
from redstart.values.types import Storage


@dataclass(frozen=True, eq=False)
class Named(FieldExpression):
    """A field that says itself what it is."""

    field: QueryField

    def query_field(self) -> QueryField:
        return self.field

    def __repr__(self) -> str:
        return self.field.label


def field(name: str, operand: Operand, **options: Any) -> Named:
    separator = "|" if operand in (Operand.TEXT, Operand.TAG) else None
    described = QueryField(f"Model.{name}", name, operand, Storage.JSON, separator)
    return Named(replace(described, **options))


s = field("s", Operand.TEXT)
words = field("t", Operand.TEXT, full_text="t_fts")
u = field("u", Operand.TAG)
comma = field("c", Operand.TEXT, separator=",")
i = field("i", Operand.NUMBER)
b = field("b", Operand.BOOLEAN)
b_hash = field("b", Operand.BOOLEAN, storage=Storage.HASH)
geo = field("g", Operand.GEO)
vector = field("v", Operand.VECTOR)
city = field("address_city", Operand.TEXT)
unindexed = field("n", Operand.UNINDEXED)
document = field("a", Operand.DOCUMENT)
