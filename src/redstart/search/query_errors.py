"""Errors of invalid queries, with hints. The codes are those of redis-om."""

from typing import Final

from redstart.display import shortened
from redstart.errors import QueryNotSupportedError, QuerySyntaxError
from redstart.next_steps import Command, Hint
from redstart.search.expressions import Operator
from redstart.search.query_field import QueryField

EXAMPLE_OF_KNN: Final = (
    'KNNExpression(k=3, vector_field=col(M.vector), score_field=col(M.score), reference_vector=b"...")'
)


def not_indexed(field: QueryField, value: object) -> QueryNotSupportedError:
    """Return E6: the field is not indexed."""
    return QueryNotSupportedError(
        f"Cannot query {field.label} for {shortened(value)}: the field is not indexed.",
        Hint("Declare it with Field(index=True), then: ", Command("migrate run")),
        field=field.label,
        value=value,
        code="E6",
    )


def is_document(field: QueryField, value: object) -> QuerySyntaxError:
    """Return E1: an embedded document is compared as if it were a value."""
    return QuerySyntaxError(
        f"Cannot compare {field.label} with {shortened(value)}: the field is an embedded document.",
        f"Compare one of its fields: {field.label}.<field>",
        field=field.label,
        value=value,
        code="E1",
    )


def items_not_declared(field: QueryField, name: str) -> QuerySyntaxError:
    """Return E1: a field of list items is queried, and the item type is not declared."""
    return QuerySyntaxError(
        f"Cannot query {name!r} of {field.label}: its item type is not declared.",
        "Declare the item type, for example list[Order], where Order is an EmbeddedJsonModel.",
        field=field.label,
        code="E1",
    )


def no_full_text(field: QueryField, value: object) -> QuerySyntaxError:
    """Return E3: a full-text search of a field without full-text index."""
    if field.is_list:
        return QuerySyntaxError(
            f"Cannot search {field.label} for the words {shortened(value)}: a list cannot be searched for words.",
            f"Use {field.code} == {shortened(value)}, or << with a list.",
            field=field.label,
            value=value,
            code="E3",
        )
    return QuerySyntaxError(
        f"Cannot search {field.label} for the words {shortened(value)}: "
        "the field is not indexed for full-text search.",
        Hint("Declare it with Field(full_text_search=True), then: ", Command("migrate run")),
        field=field.label,
        value=value,
        code="E3",
    )


def wrong_operator(field: QueryField, operator: Operator, value: object, has: str) -> QueryNotSupportedError:
    """Return E5: the type of the field does not support the operator."""
    return QueryNotSupportedError(
        f"Cannot evaluate {operator.applied(field.label, shortened(value))}: "
        f"a {field.kind} does not support {operator.removeprefix('.')}.",
        f"Use one of: {has}" if has else "Query nearest neighbours with find(knn=KNNExpression(...)).",
        field=field.label,
        value=value,
        code="E5",
    )


def wrong_operand(field: QueryField, value: object, expected: str) -> QuerySyntaxError:
    """Return the error for a value whose type the field never has. redis-om sends it and finds nothing."""
    return QuerySyntaxError(
        f"Cannot compare {field.label} with {shortened(value)}: the field is a {field.kind}.",
        f"Pass {expected}.",
        field=field.label,
        value=value,
    )


def cannot_find(
    field: QueryField, value: object, reason: str, hint: str | None = None
) -> QueryNotSupportedError:
    """Return E5: the index cannot contain such a value, so no query finds it."""
    return QueryNotSupportedError(
        f"Cannot query {field.label} for {shortened(value)}: {reason}.",
        hint,
        field=field.label,
        value=value,
        code="E5",
    )


def no_vector(field: QueryField) -> QuerySyntaxError:
    """Return the error for a search for neighbours in a field without vectors."""
    return QuerySyntaxError(
        f"{field.label} is not an indexed vector field, which a nearest-neighbour query needs.",
        Hint(
            "Declare it with Field(vector_options=VectorFieldOptions.flat(...)), then: ",
            Command("migrate run"),
        ),
        field=field.label,
    )


def wrong_knn(part: str, value: object, expected: str) -> QuerySyntaxError:
    """Return the error for an invalid part of a KNNExpression."""
    return QuerySyntaxError(
        f"{part} of a KNNExpression has to be {expected}, not {shortened(value)}.",
        f'Use {EXAMPLE_OF_KNN}, with bytes from, for example, struct.pack("<2f", 0.5, 1.5).',
        value=value,
    )


def not_knn(value: object) -> QuerySyntaxError:
    """Return the error for an argument `knn` that is not a KNNExpression."""
    return QuerySyntaxError(
        f"knn has to be a KNNExpression, not {shortened(value)}.", f"Use {EXAMPLE_OF_KNN}.", value=value
    )


def wrong_vector(field: QueryField, vector: bytes, size: int, form: str) -> QuerySyntaxError:
    """Return the error for a vector whose number of bytes differs from that of the field."""
    settings = dict(field.vector.attributes) if field.vector is not None else {}
    given = f"{len(vector)} byte{'s' * (len(vector) != 1)}"
    return QuerySyntaxError(
        f"reference_vector has {given}, {field.code} needs {size} ({settings['DIM']} × {settings['TYPE']}).",
        f'Use struct.pack("{form}", *numbers).',
        field=field.label,
        value=vector,
    )


def wrong_score_field(score: QueryField) -> QuerySyntaxError:
    """Return the error for a distance in a field that cannot be read with a float."""
    return QuerySyntaxError(
        f"score_field {score.code} has to be a float.",
        "Declare a field for the distance: distance: float | None = None",
        field=score.label,
    )


def is_indexed(score: QueryField) -> QueryNotSupportedError:
    """Return the error for a distance in a field that is indexed, which servers reject."""
    return QueryNotSupportedError(
        f"{score.label} cannot receive the distances of a nearest-neighbour query: the field is indexed.",
        Hint(
            "Remove index and sortable from the field (results are sorted by distance anyway), then: ",
            Command("migrate run"),
        ),
        field=score.label,
    )
