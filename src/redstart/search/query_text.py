"""Conditions as the text of a query: https://redis.io/docs/latest/develop/ai/search-and-query/query/"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, zip_longest
from typing import Final

from redstart.errors import QuerySyntaxError, shortened
from redstart.search.expressions import (
    Both,
    Comparison,
    Either,
    Expression,
    FieldExpression,
    KNNExpression,
    Negation,
    Operator,
)
from redstart.search.full_text import STOP_WORDS
from redstart.search.parameters import Parameters
from redstart.search.patterns import TagPattern, WordPattern
from redstart.search.query_compiler import PATTERN_MARK, ComparisonWriter
from redstart.search.query_errors import is_indexed, no_vector, wrong_knn
from redstart.search.query_field import Operand
from redstart.values.timezones import NaiveTimezone

MAX_NESTED: Final = 16
"""So many operands are nested as redis-om nests them. The server takes few levels, and any number side by side."""


@dataclass(frozen=True, slots=True)
class QueryText:
    """A query, ready to send.

    Args:
        text: in the server's query language.
        parameters: names and values of what `$name` stands for.
        patterns: the parts of tags in it, in the order of the text.
        pieces: the text before, between and behind these.
        words: what it looks for in full text of which words are given in part.
    """

    text: str
    parameters: tuple[tuple[str, str | bytes], ...] = ()
    patterns: tuple[TagPattern, ...] = ()
    pieces: tuple[str, ...] = ()
    words: tuple[WordPattern, ...] = ()


def query_text(
    conditions: Sequence[Expression],
    zone: NaiveTimezone,
    *,
    knn: KNNExpression | None = None,
    stop_words: frozenset[str] = STOP_WORDS,
) -> QueryText:
    """Write conditions as a query.

    No value can leave its field or change what the query means. On tags `==` means: has each of the value's
    tags. Where the field is not case-sensitive, case does not count.

    Args:
        conditions: all of them have to be met; none means every document.
        zone: what a datetime without an offset means.
        stop_words: words that the index does not hold.
        knn: the nearest neighbours among these documents only.

    Raises:
        QuerySyntaxError: a condition has no meaning.
        QueryNotSupportedError: the index cannot answer it.
    """
    for condition in conditions:
        if not isinstance(condition, Expression):
            raise QuerySyntaxError(
                f"{shortened(condition)} is not a condition.",
                "Pass comparisons of fields to find(), as in Model.field == value.",
                value=condition,
                code="E7",
            )
    writer = _Writer(zone, stop_words)
    try:
        text = writer.write(Both.of(*conditions)) if conditions else "*"
    except RecursionError as error:
        raise QuerySyntaxError(
            "The conditions are nested too deeply.",
            "Join conditions without nesting, as in a | b | c, or give many values of one field with <<.",
        ) from error
    if knn is not None:
        text = writer.neighbours(text, knn)
    return writer.query(text)


class _Writer:
    """Writes one query, collecting the parameters it needs."""

    def __init__(self, zone: NaiveTimezone, stop_words: frozenset[str]) -> None:
        self.parameters = Parameters()
        self._comparisons = ComparisonWriter(self.parameters, zone, stop_words)

    def write(self, condition: Expression) -> str:
        if isinstance(condition, Comparison):
            return self._comparisons.write(condition)
        if isinstance(condition, Negation):
            return f"-({self.write(condition.inner)})"
        if not isinstance(condition, Both | Either):
            raise TypeError(f"not a condition: {condition!r}")
        first, *others = condition.operands
        start = self.write(_without_double_negation(first))
        written = [self._further(one) for one in others]
        joint = " " if isinstance(condition, Both) else "| "
        if len(written) > MAX_NESTED:
            return joint.join([f"({start})", *written])
        return reduce(lambda left, right: f"({left}){joint}{right}", written, start)

    def query(self, text: str) -> QueryText:
        """Return the text with what was collected for it."""
        patterns = tuple(self._comparisons.patterns)
        pieces = tuple(text.split(PATTERN_MARK))
        shown = "".join(chain(*zip_longest(pieces, (one.text for one in patterns), fillvalue="")))
        parameters = tuple(self.parameters.values.items())
        return QueryText(shown, parameters, patterns, pieces, tuple(self._comparisons.words))

    def _further(self, condition: Expression) -> str:
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
        k = self.parameters.add("K", int.__repr__(knn.k))
        reference = self.parameters.add("knn_ref_vector", knn.reference_vector)
        filtered = among if among == "*" else f"({among})"
        return f"{filtered}=>[KNN {k} {vector.term} {reference} AS {score.attribute}]"


def _without_double_negation(condition: Expression) -> Expression:
    """Return `~(field != value)` as `field == value`: RediSearch 2.10 finds nothing for `(-(-(one))) -(other)`."""
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
        raise wrong_knn("k", knn.k, "an int of 1 or more")
    if not isinstance(knn.reference_vector, bytes):
        raise wrong_knn("reference_vector", knn.reference_vector, "bytes")
