"""The errors for wrong queries, each with a way to correct it. The codes are those of redis-om."""

from redstart.errors import QueryNotSupportedError, QuerySyntaxError, shortened
from redstart.search.query_field import QueryField


def not_indexed(field: QueryField, value: object) -> QueryNotSupportedError:
    """E6: the index does not know the field."""
    return QueryNotSupportedError(
        f"You tried to query by a field ({field.label}) that isn't indexed, with the value {shortened(value)}.",
        "Declare it with Field(index=True), then: om migrate run",
        field=field.label,
        value=value,
        code="E6",
    )


def is_document(field: QueryField, value: object) -> QuerySyntaxError:
    """E1: a document inside others is compared as if it were a value."""
    return QuerySyntaxError(
        f"{field.label} holds whole documents and cannot be compared with {shortened(value)}.",
        f"Compare one of their fields: {field.label}.<field>",
        field=field.label,
        value=value,
        code="E1",
    )


def items_not_declared(field: QueryField, name: str) -> QuerySyntaxError:
    """E1: something inside a list is asked for, and the model does not say what it holds."""
    return QuerySyntaxError(
        f"{field.label} holds items that are not declared, so {name!r} of them cannot be asked for.",
        "Declare what it holds, as in list[Order], where Order is an EmbeddedJsonModel.",
        field=field.label,
        code="E1",
    )


def no_full_text(field: QueryField, value: object) -> QuerySyntaxError:
    """E3: words are looked for in a field that has none."""
    return QuerySyntaxError(
        f"You tried to do a full-text search for {shortened(value)} on {field.label}, "
        "which is not indexed for full-text search.",
        "Declare it with Field(full_text_search=True), then: om migrate run",
        field=field.label,
        value=value,
        code="E3",
    )


def wrong_operator(field: QueryField, operator: str, value: object, has: str) -> QueryNotSupportedError:
    """E5: the type of the field has no such operator."""
    return QueryNotSupportedError(
        f"{field.label} is a {field.operand} and has no {operator} (asked for {shortened(value)}).",
        f"It has: {has}" if has else "Look for its neighbours with find(knn=KNNExpression(...)).",
        field=field.label,
        value=value,
        code="E5",
    )


def wrong_operand(field: QueryField, value: object, expected: str) -> QuerySyntaxError:
    """The value is of a type that the field is never equal to. redis-om sends it, and finds nothing."""
    return QuerySyntaxError(
        f"{field.label} is a {field.operand} and cannot be compared with {shortened(value)}.",
        f"Give it {expected}.",
        field=field.label,
        value=value,
    )


def cannot_find(
    field: QueryField, value: object, reason: str, hint: str | None = None
) -> QueryNotSupportedError:
    """The server's index has no place for such a value, so no query finds it."""
    return QueryNotSupportedError(
        f"{field.label} cannot be searched for {shortened(value)}: {reason}.",
        hint,
        field=field.label,
        value=value,
        code="E5",
    )


def no_vector(field: QueryField) -> QuerySyntaxError:
    """Neighbours are looked for where no vectors are."""
    return QuerySyntaxError(
        f"{field.label} holds no indexed vectors, so none of them is near to another.",
        "Declare it with Field(vector_options=VectorFieldOptions.flat(...)), then: om migrate run",
        field=field.label,
    )


def wrong_knn(part: str, value: object, expected: str) -> QuerySyntaxError:
    """A part of a KNNExpression is something else than it has to be."""
    return QuerySyntaxError(
        f"The {part} of a KNNExpression is {expected}, not {shortened(value)}.",
        'As in KNNExpression(k=3, vector_field=col(M.vector), score_field=col(M.score), reference_vector=b"..."); '
        'bytes of numbers are made with struct.pack("<2f", 0.5, 1.5).',
        value=value,
    )


def is_indexed(score: QueryField) -> QueryNotSupportedError:
    """A distance is to go where the index has a field already: servers refuse that."""
    return QueryNotSupportedError(
        f"{score.label} cannot get the distances of a search: the index has a field of that name.",
        "Declare it without index and sortable: neighbours come by their distance anyway. Then: om migrate run",
        field=score.label,
    )
