"""Conditions as the text of a query: https://redis.io/docs/latest/develop/ai/search-and-query/query/"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from redstart.errors import QuerySyntaxError, shortened
from redstart.search.expressions import (
    Both,
    Comparison,
    Either,
    Expression,
    FieldExpression,
    KNNExpression,
    Negation,
    Operand,
    Operator,
    QueryField,
)
from redstart.search.full_text import full_text
from redstart.search.geo import GeoFilter
from redstart.search.operands import boolean_word, number_word, stored_text
from redstart.search.refusals import (
    cannot_find,
    is_document,
    is_indexed,
    no_full_text,
    no_vector,
    not_indexed,
    wrong_knn,
    wrong_operand,
    wrong_operator,
)
from redstart.search.tags import WHITE_SPACE, escaped, needs_parameter, pattern_of, tags_of
from redstart.values.timezones import NaiveTimezone

EQUALITY: Final = (Operator.EQ, Operator.NE)
MEMBERSHIP: Final = (Operator.IN, Operator.NOT_IN)
ORDER: Final = {
    Operator.LT: "[-inf ({0}]",
    Operator.LE: "[-inf {0}]",
    Operator.GT: "[({0} +inf]",
    Operator.GE: "[{0} +inf]",
}
PATTERNS: Final = {
    Operator.STARTSWITH: "{0}*",
    Operator.ENDSWITH: "*{0}",
    Operator.CONTAINS: "*{0}*",
}
OPERATORS: Final = {
    Operand.TEXT: (*EQUALITY, *MEMBERSHIP, *PATTERNS),
    Operand.TAG: (*EQUALITY, *MEMBERSHIP, *PATTERNS),
    Operand.BOOLEAN: (*EQUALITY, *MEMBERSHIP),
    Operand.NUMBER: (*EQUALITY, *ORDER, *MEMBERSHIP),
    Operand.GEO: EQUALITY,
    Operand.VECTOR: (),
}
SHORTEST_PATTERN: Final = 2
PARAMETERS_DIALECT: Final = 2
NO_NUMBER: Final = "[1 0]"
"""A range that holds nothing."""


@dataclass(frozen=True, slots=True)
class QueryText:
    """A query, ready to send.

    Args:
        text: in the server's query language.
        parameters: names and values of what `$name` stands for.
        dialect: which version of the language it needs; None: any.
    """

    text: str
    parameters: tuple[tuple[str, str | bytes], ...] = ()
    dialect: int | None = None


def query_text(
    conditions: Sequence[Expression], zone: NaiveTimezone, *, knn: KNNExpression | None = None
) -> QueryText:
    """Write conditions as a query.

    No value can leave its field or change what the query means. On tags `==` means: has each of the value's
    tags. Where the field is not case-sensitive, case does not count.

    Args:
        conditions: all of them have to be met; none means every document.
        zone: what a datetime without an offset means.
        knn: the nearest neighbours among these documents only.

    Raises:
        QuerySyntaxError: a condition has no meaning.
        QueryNotSupportedError: the index cannot answer it.
    """
    for condition in conditions:
        if not isinstance(condition, Expression):
            raise QuerySyntaxError(
                f"{shortened(condition)} is no condition.",
                "find() takes comparisons of fields, as Model.field == value.",
                value=condition,
                code="E7",
            )
    writer = _Writer(zone)
    text = writer.write(reduce(Both, conditions)) if conditions else "*"
    if knn is not None:
        text = writer.neighbours(text, knn)
    return QueryText(text, tuple(writer.parameters.items()), writer.dialect)


class _Writer:
    """Writes one query, collecting the parameters it needs."""

    def __init__(self, zone: NaiveTimezone) -> None:
        self.parameters: dict[str, str | bytes] = {}
        self.dialect: int | None = None
        self._zone = zone

    def write(self, condition: Expression) -> str:
        if isinstance(condition, Comparison):
            return self._comparison(condition)
        if isinstance(condition, Negation):
            return f"-({self.write(condition.inner)})"
        if not isinstance(condition, Both | Either):
            raise TypeError(f"not a condition: {condition!r}")
        joint = "" if isinstance(condition, Both) else "|"
        left = self.write(_without_double_negation(condition.left))
        return f"({left}){joint} {self._right(condition.right)}"

    def _right(self, condition: Expression) -> str:
        condition = _without_double_negation(condition)
        written = self.write(condition)
        return written if isinstance(condition, Negation) else f"({written})"

    def neighbours(self, among: str, knn: KNNExpression) -> str:
        _check_knn(knn)
        vector, score = knn.vector_field.query_field(), knn.score_field.query_field()
        if vector.operand is not Operand.VECTOR:
            raise no_vector(vector)
        if score.operand is not Operand.UNINDEXED:
            raise is_indexed(score)
        self._parameter("K", str(knn.k))
        self._parameter("knn_ref_vector", knn.reference_vector)
        filtered = among if among == "*" else f"({among})"
        return f"{filtered}=>[KNN $K @{vector.attribute} $knn_ref_vector AS {score.attribute}]"

    def _comparison(self, comparison: Comparison) -> str:
        field, operator, value = comparison.left.query_field(), comparison.operator, comparison.value
        if field.operand is Operand.UNINDEXED:
            raise not_indexed(field, value)
        if field.operand is Operand.DOCUMENT:
            raise is_document(field, value)
        if operator is Operator.MATCHES:
            if field.full_text is None:
                raise no_full_text(field, value)
            return f"@{field.full_text}:{full_text(field, value)}"
        allowed = OPERATORS[field.operand]
        if operator not in allowed:
            raise wrong_operator(field, operator, value, ", ".join(allowed))
        if operator in MEMBERSHIP:
            return self._membership(field, operator, _listed(field, value))
        if operator in ORDER:
            return f"@{field.attribute}:{ORDER[operator].format(number_word(field, value, self._zone))}"
        if operator in PATTERNS:
            return f"({self._pattern(field, operator, value)})"
        if value is None:
            return _missing(field, operator)
        equal = self._equal(field, value)
        return equal if operator is Operator.EQ else f"-({equal})"

    def _equal(self, field: QueryField, value: Any) -> str:
        if field.operand is Operand.GEO:
            if not isinstance(value, GeoFilter):
                raise wrong_operand(field, value, "a GeoFilter")
            return f"@{field.attribute}:[{value}]"
        if field.operand is Operand.NUMBER:
            word = number_word(field, value, self._zone)
            return f"@{field.attribute}:[{word} {word}]"
        return "".join(f"@{field.attribute}:{{{tag}}}" for tag in self._tags(field, value))

    def _membership(self, field: QueryField, operator: Operator, values: list[Any]) -> str:
        if field.operand is Operand.NUMBER:
            joint = "|" if operator is Operator.IN else " | "
            ranges = [self._equal(field, value) for value in values] or [f"@{field.attribute}:{NO_NUMBER}"]
            found = joint.join(f"({one})" for one in ranges)
            return found if operator is Operator.IN else f"-({found})"
        return (
            f"({self._one_of(field, values)})"
            if operator is Operator.IN
            else f"-({self._one_of(field, values)})"
        )

    def _one_of(self, field: QueryField, values: list[Any]) -> str:
        tags = [self._tags(field, value) for value in values]
        singles = [one for one, *others in tags if not others]
        several = [
            self._equal(field, value) for value, (_, *others) in zip(values, tags, strict=True) if others
        ]
        if not values:
            # No tag is the separator itself.
            singles = [escaped(field.separator or ",")]
        together = [f"@{field.attribute}:{{{'|'.join(singles)}}}"] if singles else []
        if not several:
            return together[0]
        return "|".join(f"({one})" for one in [*together, *several])

    def _tags(self, field: QueryField, value: Any) -> list[str]:
        if field.operand is Operand.BOOLEAN:
            return [boolean_word(field, value)]
        return [self._word(tag) for tag in tags_of(field, stored_text(field, value))]

    def _pattern(self, field: QueryField, operator: Operator, value: Any) -> str:
        part = pattern_of(field, value)
        if operator is Operator.STARTSWITH:
            part = part.lstrip(WHITE_SPACE)
        elif operator is Operator.ENDSWITH:
            part = part.rstrip(WHITE_SPACE)
        if len(part) < SHORTEST_PATTERN:
            raise cannot_find(
                field,
                value,
                f"the server looks for parts of {SHORTEST_PATTERN} characters and more (its MINPREFIX)",
                "Give it more of the text.",
            )
        return f"@{field.attribute}:{{{PATTERNS[operator].format(self._pattern_word(part))}}}"

    def _pattern_word(self, part: str) -> str:
        # Written into a pattern, a backslash is not found, however often it is doubled.
        return self._as_parameter(part) if "\\" in part else self._word(part)

    def _word(self, tag: str) -> str:
        return self._as_parameter(tag) if needs_parameter(tag) else escaped(tag)

    def _as_parameter(self, tag: str) -> str:
        # Of parameters, too, backslashes are taken away once.
        return self._parameter(f"tag{len(self.parameters)}", tag.replace("\\", "\\\\"))

    def _parameter(self, name: str, value: str | bytes) -> str:
        self.dialect = PARAMETERS_DIALECT
        self.parameters[name] = value
        return f"${name}"


def _without_double_negation(condition: Expression) -> Expression:
    """`~(field != value)` as `field == value`: RediSearch 2.10 finds nothing for `(-(-(one))) -(other)`."""
    if isinstance(condition, Negation) and isinstance(inner := condition.inner, Comparison):
        if inner.operator is Operator.NE:
            return Comparison(inner.left, Operator.EQ, inner.value)
        if inner.operator is Operator.NOT_IN:
            return Comparison(inner.left, Operator.IN, inner.value)
    return condition


def _check_knn(knn: KNNExpression) -> None:
    for part, one in (("vector_field", knn.vector_field), ("score_field", knn.score_field)):
        if not isinstance(one, FieldExpression):
            raise wrong_knn(part, one, "a field of a model")
    if not isinstance(knn.k, int) or knn.k < 1:
        raise wrong_knn("k", knn.k, "a number of documents, 1 or more")
    if not isinstance(knn.reference_vector, bytes):
        raise wrong_knn("reference_vector", knn.reference_vector, "the bytes of its numbers")


def _missing(field: QueryField, operator: Operator) -> str:
    if field.operand is not Operand.NUMBER:
        raise cannot_find(
            field,
            None,
            "the index has no entry for a missing value",
            "Keep a word of your own in place of None, and look for that.",
        )
    anything = f"@{field.attribute}:[-inf +inf]"
    return f"-({anything})" if operator is Operator.EQ else anything


def _listed(field: QueryField, value: Any) -> list[Any]:
    if isinstance(value, str | bytes):
        return [value]
    if not isinstance(value, Iterable):
        raise wrong_operand(field, value, "a list of values")
    return list(value)
