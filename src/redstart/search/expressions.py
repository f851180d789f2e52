"""Conditions of queries, as a tree of immutable objects with copies of the values that callers give.

They are checked when `query_text` writes them.
"""

from collections import deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from copy import deepcopy
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar
from uuid import UUID

from redstart.display import shortened
from redstart.errors import QuerySyntaxError
from redstart.search.query_field import Operand, QueryField

IMMUTABLE: Final = frozenset(
    {type(None), bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID}
)
SEQUENCES: Final = frozenset({list, tuple, set, frozenset, deque})
READ_AS_LISTS: Final = (Iterator, KeysView, ValuesView, ItemsView)


def copied(value: Any) -> Any:
    """Return a copy of a value and of all that it contains.

    An iterator, which can be read only once, and a view of a dict become lists. An object that cannot be copied, such
    as a lock, is returned unchanged.
    """
    kind = type(value)
    if kind in IMMUTABLE:
        return value
    if kind in SEQUENCES:
        return kind(map(copied, value))
    if kind is dict:
        return {name: copied(member) for name, member in value.items()}
    if isinstance(value, READ_AS_LISTS):
        return list(map(copied, value))
    try:
        return deepcopy(value)
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return value


T = TypeVar("T")


def immutable(cls: type[T]) -> type[T]:
    """Return a frozen dataclass whose assignment error names the alternative.

    Subclasses may have own attributes. (The method that `dataclass` generates raises a TypeError with slots, because it
    looks for the class without them.)
    """
    own = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # a dataclass

    def refuse(self: object, name: str) -> NoReturn:
        raise AttributeError(
            f"{cls.__name__} objects are immutable, so the attribute {name!r} cannot be changed. "
            "Create another object instead.",
            name=name,
            obj=self,
        )

    def __setattr__(self: object, name: str, value: Any) -> None:  # noqa: N807 - a method of cls
        if type(self) is cls or name in own:
            refuse(self, name)
        object.__setattr__(self, name, value)

    def __delattr__(self: object, name: str) -> None:  # noqa: N807 - a method of cls
        if type(self) is cls or name in own:
            refuse(self, name)
        object.__delattr__(self, name)

    cls.__setattr__ = __setattr__  # type: ignore[method-assign]
    cls.__delattr__ = __delattr__  # type: ignore[method-assign]
    return cls


class Operator(StrEnum):
    """Operators of comparisons. Values are names in messages."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    MATCHES = "%"
    IN = "<<"
    NOT_IN = ">>"
    STARTSWITH = ".startswith()"
    ENDSWITH = ".endswith()"
    CONTAINS = ".contains()"

    def applied(self, field: str, value: str) -> str:
        """Return the operator or method with its operands, as in Python."""
        return f"{field}{self[:-1]}{value})" if self.endswith("()") else f"{field} {self} {value}"


class Expression:
    """A condition of a query. Combine conditions with `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: "Expression") -> "Expression":
        return Both.of(self, _expression(other))

    def __or__(self, other: "Expression") -> "Expression":
        return Either.of(self, _expression(other))

    def __invert__(self) -> "Expression":
        return Negation(self)

    @property
    def tree(self) -> str:
        """Return the condition as text, one operator or comparison per line, with indented operands."""
        return "\n".join(self._drawn())

    def _drawn(self) -> list[str]:
        return [repr(self)]

    def __bool__(self) -> bool:
        # `a and b`, `not a`, `a < x < b` or `a in b` would silently drop a part of the condition.
        raise QuerySyntaxError(
            f"A condition has no truth value: {self!r}.",
            "Use &, | and ~ instead of and, or and not; << instead of in; "
            "and two conditions instead of a chained comparison.",
        )


def _below(word: str, *parts: Expression) -> list[str]:
    return [word, *(f"  {line}" for part in parts for line in part._drawn())]


def _expression(value: object) -> Expression:
    if not isinstance(value, Expression):
        raise QuerySyntaxError(
            f"{value!r} is not a condition.",
            "Compare a field, as in Model.field == value, and put each comparison in parentheses.",
            value=value,
            code="E7",
        )
    return value


class _Joined(Expression):
    """Several conditions joined by one operator, in one flat list."""

    __slots__ = ()
    operands: tuple[Expression, ...]

    @classmethod
    def of(cls, *conditions: Expression) -> Expression:
        """Return the conditions joined; a single one unchanged."""
        if len(conditions) == 1:
            return conditions[0]
        operands: list[Expression] = []
        for one in conditions:
            operands += one.operands if isinstance(one, cls) else (one,)
        return cls(tuple(operands))  # type: ignore[call-arg]  # of the dataclasses below

    @property
    def left(self) -> Expression:
        """Return all conditions but the last, as redis-om nests them."""
        return self.of(*self.operands[:-1])

    @property
    def right(self) -> Expression:
        """Return the last condition."""
        return self.operands[-1]


@immutable
@dataclass(frozen=True, slots=True)
class Both(_Joined):
    """AND."""

    operands: tuple[Expression, ...]

    def _drawn(self) -> list[str]:
        return _below("AND", *self.operands)

    def __repr__(self) -> str:
        return " & ".join(f"({one!r})" for one in self.operands)


@immutable
@dataclass(frozen=True, slots=True)
class Either(_Joined):
    """OR."""

    operands: tuple[Expression, ...]

    def _drawn(self) -> list[str]:
        return _below("OR", *self.operands)

    def __repr__(self) -> str:
        return " | ".join(f"({one!r})" for one in self.operands)


@immutable
@dataclass(frozen=True, slots=True)
class Negation(Expression):
    """NOT."""

    inner: Expression

    def __invert__(self) -> Expression:
        return self.inner

    def _drawn(self) -> list[str]:
        return _below("NOT", self.inner)

    def __repr__(self) -> str:
        return f"~({self.inner!r})"


@immutable
@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """A field compared with a value, of which it keeps a copy."""

    left: "FieldExpression"
    operator: Operator
    value: Any

    def __post_init__(self) -> None:
        if not isinstance(self.value, FieldExpression):
            object.__setattr__(self, "value", copied(self.value))

    def __repr__(self) -> str:
        return self.operator.applied(repr(self.left), repr(self.value))


class FieldExpression:
    """A field of conditions: `field == 1`, `field << [1, 2]`, `field.startswith("a")`."""

    __slots__ = ()

    def query_field(self) -> QueryField:
        """Return the field of the index. Raises RedisModelError if the model cannot be indexed."""
        raise NotImplementedError

    def __eq__(self, other: object) -> Comparison:  # type: ignore[override]  # a condition, not its truth
        return Comparison(self, Operator.EQ, other)

    def __ne__(self, other: object) -> Comparison:  # type: ignore[override]  # a condition, not its truth
        return Comparison(self, Operator.NE, other)

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> Comparison:
        return Comparison(self, Operator.LT, other)

    def __le__(self, other: Any) -> Comparison:
        return Comparison(self, Operator.LE, other)

    def __gt__(self, other: Any) -> Comparison:
        return Comparison(self, Operator.GT, other)

    def __ge__(self, other: Any) -> Comparison:
        return Comparison(self, Operator.GE, other)

    def __mod__(self, words: str) -> Comparison:
        """Return a full-text condition on this field, in the query language of the server."""
        return Comparison(self, Operator.MATCHES, words)

    def __lshift__(self, values: Iterable[Any]) -> Comparison:
        """Return the condition that the field is equal to one of the values."""
        return Comparison(self, Operator.IN, _operands(values))

    def __rshift__(self, values: Iterable[Any]) -> Comparison:
        """Return the condition that the field is equal to none of the values."""
        return Comparison(self, Operator.NOT_IN, _operands(values))

    def __contains__(self, value: object) -> bool:
        field, shown = self.query_field(), shortened(value)
        is_text = field.operand is Operand.TEXT and not field.is_list
        raise QuerySyntaxError(
            f"Python's `in` is not a condition: {shown} in {field.code}.",
            f"Use {field.code} == {shown}"
            + f", or {field.code}.contains({shown}) for a part of the text" * is_text,
            field=field.label,
            value=value,
        )

    def __and__(self, other: object) -> Expression:
        # `a > 1 & b < 5` without parentheses is `a > (1 & b) < 5`.
        return _expression(self)

    __rand__ = __or__ = __ror__ = __and__

    def __invert__(self) -> Expression:
        return _expression(self)

    def startswith(self, text: str) -> Comparison:
        """Return the condition that the field begins with a text."""
        return Comparison(self, Operator.STARTSWITH, text)

    def endswith(self, text: str) -> Comparison:
        """Return the condition that the field ends with a text."""
        return Comparison(self, Operator.ENDSWITH, text)

    def contains(self, text: str) -> Comparison:
        """Return the condition that the field contains a text."""
        return Comparison(self, Operator.CONTAINS, text)


def _operands(values: object) -> object:
    """Return the operands of `<<` and `>>` as a tuple. A str, or a value that is not iterable, is rejected later."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        return values
    return tuple(values)


def fields_in(condition: object) -> Iterator[FieldExpression]:
    """Yield the fields of a condition; none if the value is not a condition."""
    return (comparison.left for comparison in comparisons_in(condition))


def comparisons_in(condition: object) -> Iterator[Comparison]:
    """Yield the comparisons of a condition; none if the value is not a condition."""
    waiting = [condition]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Comparison):
            yield one
        elif isinstance(one, Negation):
            waiting.append(one.inner)
        elif isinstance(one, Both | Either):
            waiting += reversed(one.operands)


@immutable
@dataclass(frozen=True, slots=True)
class KNNExpression:
    """A nearest-neighbour query, for `find(..., knn=...)`.

    Args:
        k: the number of documents to return, 1 or more.
        vector_field: the vector field, as `col(Model.vector)`.
        score_field: the field for the distance; it must not be indexed.
        reference_vector: the vector as bytes, in the type of the index (FLOAT32 or FLOAT64).
    """

    k: int
    vector_field: FieldExpression
    score_field: FieldExpression
    reference_vector: bytes

    @property
    def vector_field_name(self) -> str:
        """Return the name of the vector field in the index."""
        return self.vector_field.query_field().attribute

    @property
    def score_field_name(self) -> str:
        """Return the name of the field for the distance."""
        return self.score_field.query_field().attribute

    @property
    def query_params(self) -> dict[str, str | bytes]:
        """Return the values of the query parameters `$K` and `$knn_ref_vector`."""
        return {"K": str(self.k), "knn_ref_vector": self.reference_vector}


def col(field: Any) -> FieldExpression:
    """Return a field with the static type of a field: `col(Customer.age) > 18`.

    Args:
        field: a field of a model class.

    Raises:
        QuerySyntaxError: E9, the argument is not a field.
    """
    if not isinstance(field, FieldExpression):
        raise QuerySyntaxError(
            f"{field!r} is not a field of a model class.", "Use col(Model.field).", value=field, code="E9"
        )
    return field
