"""Conditions as the text of a query, with the operators of each type of field."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, zip_longest
from struct import calcsize
from typing import Any, Final

from redstart.display import shortened
from redstart.errors import QuerySyntaxError
from redstart.search.escaping import (
    as_indexed,
    boolean_word,
    escaped,
    nearest_number,
    needs_parameter,
    number_word,
    pattern_of,
    stored_text,
    tags_of,
)
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
from redstart.search.full_text import STOP_WORDS, full_text
from redstart.search.geo import GeoFilter
from redstart.search.query_errors import (
    cannot_find,
    is_document,
    is_indexed,
    no_full_text,
    no_vector,
    not_indexed,
    wrong_knn,
    wrong_operand,
    wrong_operator,
    wrong_score_field,
    wrong_vector,
)
from redstart.search.query_field import Operand, QueryField, TagPattern, Where, WordPattern, term_of
from redstart.values.timezones import NaiveTimezone


class Parameters:
    """The parameters of one query: `values` by name."""

    def __init__(self) -> None:
        self.values: dict[str, str | bytes] = {}

    def add(self, name: str, value: str | bytes) -> str:
        """Add a value, and return its placeholder in the text."""
        self.values[name] = value
        return f"${name}"


EQUALITY: Final = (Operator.EQ, Operator.NE)
MEMBERSHIP: Final = (Operator.IN, Operator.NOT_IN)
ORDER: Final = {
    Operator.LT: "[-inf ({0}]",
    Operator.LE: "[-inf {0}]",
    Operator.GT: "[({0} +inf]",
    Operator.GE: "[{0} +inf]",
}
AROUND: Final = {
    (operator, side): at_side
    for operator, of_sides in {
        Operator.LT: (Operator.LE, Operator.LT, Operator.LT),
        Operator.LE: (Operator.LE, Operator.LE, Operator.LT),
        Operator.GT: (Operator.GT, Operator.GT, Operator.GE),
        Operator.GE: (Operator.GT, Operator.GE, Operator.GE),
    }.items()
    for side, at_side in zip((-1, 0, 1), of_sides, strict=True)
}
"""The operator for the nearest number, by the requested operator and the side of that number."""
PATTERNS: Final = {
    Operator.STARTSWITH: (Where.START, "{0}*"),
    Operator.ENDSWITH: (Where.END, "*{0}"),
    Operator.CONTAINS: (Where.ANYWHERE, "*{0}*"),
}
OPERATORS: Final = {
    Operand.TEXT: (*EQUALITY, *MEMBERSHIP, *PATTERNS),
    Operand.TAG: (*EQUALITY, *MEMBERSHIP, *PATTERNS),
    Operand.BOOLEAN: (*EQUALITY, *MEMBERSHIP),
    Operand.NUMBER: (*EQUALITY, *ORDER, *MEMBERSHIP),
    Operand.GEO: EQUALITY,
    Operand.VECTOR: (),
}
PATTERN_MARK: Final = "\0"
"""The placeholder of a pattern in the text. No value can contain it."""
NO_NUMBER: Final = "[1 0]"
"""An empty range."""


class ComparisonWriter:
    """Compiles comparisons.

    Args:
        parameters: collects the values that cannot be part of the text.
        zone: what a datetime without an offset means.
        stop_words: words that the index does not hold.

    Attributes:
        patterns: the parts of tags compiled so far, each with a placeholder in the text.
        words: the full-text conditions with parts of words compiled so far.
    """

    def __init__(self, parameters: Parameters, zone: NaiveTimezone, stop_words: frozenset[str]) -> None:
        self._parameters = parameters
        self._zone = zone
        self._stop_words = stop_words
        self.patterns: list[TagPattern] = []
        self.words: list[WordPattern] = []

    def write(self, comparison: Comparison) -> str:
        """Return the text of a comparison. Raises QuerySyntaxError, QueryNotSupportedError."""
        field, operator, value = comparison.left.query_field(), comparison.operator, comparison.value
        if field.operand is Operand.UNINDEXED:
            raise not_indexed(field, value)
        if field.operand is Operand.DOCUMENT:
            raise is_document(field, value)
        if operator is Operator.MATCHES:
            if field.full_text is None:
                raise no_full_text(field, value)
            return self._words(field, value)
        allowed = OPERATORS[field.operand]
        if operator not in allowed:
            raise wrong_operator(field, operator, value, ", ".join(allowed))
        if operator in MEMBERSHIP:
            return self._membership(field, operator, _listed(field, value))
        if operator in ORDER:
            number = nearest_number(field, value, self._zone)
            return f"{field.term}:{ORDER[AROUND[operator, number.side]].format(number.word)}"
        if operator in PATTERNS:
            self.patterns.append(self._pattern(field, operator, value))
            return f"({PATTERN_MARK})"
        if value is None:
            return _missing(field, operator)
        equal = self._equal(field, value)
        return equal if operator is Operator.EQ else f"-({equal})"

    def _equal(self, field: QueryField, value: Any) -> str:
        if field.operand is Operand.GEO:
            if not isinstance(value, GeoFilter):
                raise wrong_operand(field, value, "a GeoFilter")
            return f"{field.term}:[{value}]"
        if field.operand is Operand.NUMBER:
            word = number_word(field, value, self._zone)
            return f"{field.term}:[{word} {word}]"
        return "".join(f"{field.term}:{{{tag}}}" for tag in self._tags(field, value))

    def _membership(self, field: QueryField, operator: Operator, values: list[Any]) -> str:
        if field.operand is Operand.NUMBER:
            joint = "|" if operator is Operator.IN else " | "
            ranges = [self._equal(field, value) for value in values] or [f"{field.term}:{NO_NUMBER}"]
            found = joint.join(f"({one})" for one in ranges)
            return found if operator is Operator.IN else f"-({found})"
        found = f"({self._one_of(field, values)})"
        return found if operator is Operator.IN else f"-{found}"

    def _one_of(self, field: QueryField, values: list[Any]) -> str:
        tags = [self._tags(field, value) for value in values]
        singles = [one for one, *others in tags if not others]
        several = [
            self._equal(field, value) for value, (_, *others) in zip(values, tags, strict=True) if others
        ]
        if not values:
            # No tag is the separator itself.
            singles = [escaped(field.separator or ",")]
        together = [f"{field.term}:{{{'|'.join(singles)}}}"] if singles else []
        if not several:
            return together[0]
        return "|".join(f"({one})" for one in [*together, *several])

    def _tags(self, field: QueryField, value: Any) -> list[str]:
        if field.operand is Operand.BOOLEAN:
            return [boolean_word(field, value)]
        return [self._word(tag) for tag in tags_of(field, stored_text(field, value))]

    def _words(self, field: QueryField, value: Any) -> str:
        words = full_text(field, value, self._stop_words)
        text = f"{term_of(field.full_text or '')}:{words.text}"
        if words.shortest is not None:
            self.words.append(WordPattern(field.term, field.label, value, text, words.shortest))
        return text

    def _pattern(self, field: QueryField, operator: Operator, value: Any) -> TagPattern:
        where, form = PATTERNS[operator]
        part = pattern_of(field, value, where)
        text = f"{field.term}:{{{form.format(self._pattern_word(part))}}}"
        return TagPattern(field.attribute, where, as_indexed(field, part), text, field.term)

    def _pattern_word(self, part: str) -> str:
        # A backslash in a pattern matches nothing, regardless of how often it is doubled.
        return self._as_parameter(part) if "\\" in part else self._word(part)

    def _word(self, tag: str) -> str:
        return self._as_parameter(tag) if needs_parameter(tag) else escaped(tag)

    def _as_parameter(self, tag: str) -> str:
        # Backslashes are removed once from parameters, too.
        return self._parameters.add(f"tag{len(self._parameters.values)}", tag.replace("\\", "\\\\"))


def _missing(field: QueryField, operator: Operator) -> str:
    if field.operand is not Operand.NUMBER:
        raise cannot_find(
            field,
            None,
            "missing values are not indexed",
            "Store a placeholder value instead of None and query that.",
        )
    anything = f"{field.term}:[-inf +inf]"
    return f"-({anything})" if operator is Operator.EQ else anything


def _listed(field: QueryField, value: Any) -> list[Any]:
    if isinstance(value, str | bytes):
        if field.operand is Operand.NUMBER:  # redis-om queries each character
            raise wrong_operand(field, value, f"a list: << [{shortened(value)}]")
        return [value]
    if not isinstance(value, Iterable):
        raise wrong_operand(field, value, "a list of values")
    return list(value)


MAX_NESTED: Final = 16
"""The number of operands that are nested as in redis-om.

The server accepts few levels, but any number of operands in one level.
"""


@dataclass(frozen=True, slots=True)
class QueryText:
    """A query, ready to send.

    Args:
        text: the query in the language of the server.
        parameters: names and values of the parameters `$name`.
        patterns: the parts of tags in it, in the order of the text.
        pieces: the text before, between and after these.
        words: its full-text conditions with parts of words.
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
    """Compile conditions to a query.

    No value can query another field or change the meaning of the query. On tags, `==` means: has all tags of the value.
    Case is ignored unless the field is case-sensitive.

    Args:
        conditions: all have to be met; without any, every document matches.
        zone: what a datetime without an offset means.
        stop_words: words that the index does not hold.
        knn: return only the nearest neighbours among these documents.

    Raises:
        QuerySyntaxError: a condition is invalid.
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
    """Compiles one query, and collects its parameters."""

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
        """Return the text with its parameters and patterns."""
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
        check_knn(knn)
        vector, score = knn.vector_field.query_field(), knn.score_field.query_field()
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


def check_knn(knn: KNNExpression) -> None:
    """Raise QuerySyntaxError or QueryNotSupportedError if a nearest-neighbour query is invalid."""
    for part, one in (("vector_field", knn.vector_field), ("score_field", knn.score_field)):
        if not isinstance(one, FieldExpression):
            raise wrong_knn(part, one, "a field of a model")
    if not isinstance(knn.k, int) or knn.k < 1:
        raise wrong_knn("k", knn.k, "an int of 1 or more")
    if not isinstance(knn.reference_vector, bytes):
        raise wrong_knn("reference_vector", knn.reference_vector, "bytes")
    vector, score = knn.vector_field.query_field(), knn.score_field.query_field()
    if vector.operand is not Operand.VECTOR:
        raise no_vector(vector)
    if score.operand is not Operand.UNINDEXED:
        raise is_indexed(score)
    if not score.takes_distance:
        raise wrong_score_field(score)
    _check_size(vector, knn.reference_vector)


FORMATS: Final = {"FLOAT32": "f", "FLOAT64": "d"}
"""The formats of `struct` for the types of vector components."""


def _check_size(field: QueryField, vector: bytes) -> None:
    settings = {} if field.vector is None else dict(field.vector.attributes)
    form = f"<{settings['DIM']}{FORMATS[settings['TYPE']]}" if settings else ""
    if form and len(vector) != calcsize(form):
        raise wrong_vector(field, vector, calcsize(form), form)
