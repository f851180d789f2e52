"""Fields with the name of an attribute of their base classes: `update`, `json`, `copy`.

On a document such a name is the value of the field. On the class it becomes the field, too, for conditions of queries,
except for class methods such as `get`.
"""

from typing import Any, Final

from redstart.errors import RedisModelError
from redstart.mapping.metaclass import FieldOnClass
from redstart.mapping.registry import model_name

NEEDED: Final = ("check", "key", "save")
"""What is called on a document to save it."""


def refuse_needed_names(model: Any) -> None:
    """Raise RedisModelError if a field has the name of a method without which no document can be saved."""
    for name in NEEDED:
        if name in model.model_fields:
            raise RedisModelError(
                f"{model_name(model)}.{name} cannot be a field: the name is that of a method that saving needs.",
                f"Rename the field, for example to {name}_.",
            )


def put_fields_on_class(model: Any) -> None:
    """Let `Model.copy` be the field, where a model has one of that name."""
    for name in model.model_fields:
        if not name.startswith("model_") and _is_hidden(model, name):
            type.__setattr__(model, name, FieldOnClass(name))


def _is_hidden(model: Any, name: str) -> bool:
    for base in model.__mro__:
        held = base.__dict__.get(name)
        if held is not None:
            is_called = isinstance(held, classmethod) and not base.__module__.startswith("pydantic.")
            return not isinstance(held, property | FieldOnClass) and not is_called
    return hasattr(type(model), name)  # `mro` and `register`
