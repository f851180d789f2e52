"""Validation of values that were assigned to a document, which pydantic does not validate."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, RootModel

from redstart.mapping.core_schema import by_name
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.pydantic_internals import extra_of, fields_described, validator_of

LISTS: Final = (list, tuple, set, frozenset, deque)
"""What holds values one after the other; texts and bytes are not looked into."""
WITHOUT_PARTS: Final = frozenset({type(None), bool, int, float, Decimal, str, bytes, datetime, date})
"""What most values are: these are not looked into."""


def revalidate_assigned(document: BaseModel, key_name: str) -> None:
    """Validate a document again, and those inside it. What a field takes in another form gets the field's own.

    A text that was assigned to a number would be stored as text, and take its document out of the index.

    Args:
        key_name: of the field that is the primary key: where it is None no key is made up.

    Raises:
        ValidationError (pydantic): a value that its field does not take.
    """
    values = document.__dict__
    fields = fields_described(type(document))
    if len(values) > len(fields):  # what functools.cached_property keeps there
        values = {name: value for name, value in values.items() if name in fields}
    # A new dict, for a validator may change what it is given.
    given = values | extra_of(document)
    validate, options = validator_of(type(document)).validate_python, by_name(type(document))
    taken = getattr(validate(given, **options) if options else validate(given), "__dict__", {})
    kinds = list(map(type, values.values()))
    if WITHOUT_PARTS.issuperset(kinds) and kinds == list(map(type, map(taken.get, values))):
        return  # as most documents are, and found out faster than value by value
    for name, value in values.items():
        own = taken.get(name, value)
        if type(own) is not type(value) and not (value is None and name == key_name):
            document.__dict__[name] = own
        elif type(value) not in WITHOUT_PARTS:
            revalidate_nested((value,))


def revalidate_nested(values: Iterable[Any]) -> None:
    """Validate the documents among some values, which pydantic takes as they are. Raises ValidationError."""
    for value in values:
        if isinstance(value, RootModel):
            # Its validator takes the value itself, and not a dict of fields.
            value.__dict__["root"] = validator_of(type(value)).validate_python(value.root).root
            revalidate_nested((value.root,))
        elif isinstance(value, BaseModel):
            revalidate_assigned(value, DEFAULT_NAME)
        elif isinstance(value, Mapping):
            revalidate_nested(value.values())
        elif isinstance(value, LISTS):
            revalidate_nested(value)
