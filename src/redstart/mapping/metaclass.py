"""Metaclass of models, whose fields can be used in conditions: `Customer.age > 18`."""

from typing import TYPE_CHECKING, Any, Final

from redstart.display import did_you_mean
from redstart.errors import RedisModelError
from redstart.mapping.base_model import model_name
from redstart.mapping.pydantic_internals import ModelMetaclass, fields_in_class, is_asked_by_pydantic
from redstart.unavailable_names import METHODS


class QueryableModel(ModelMetaclass):
    """The class of model classes.

    It provides only attributes that a class does not have itself, so instances and other attributes are unaffected. It
    does not provide them to pydantic, which reads the defaults of fields, and the attributes that they shadow, from a
    class.
    """

    def __dir__(cls) -> list[str]:  # noqa: N805 - a metaclass
        """Include the fields, which mocks need."""
        return sorted({*super().__dir__(), *fields_in_class(cls)})

    if not TYPE_CHECKING:  # a type checker has to see the declarations, and report mistakes

        def __getattr__(cls, name: str) -> Any:  # noqa: N805 - a metaclass
            if name in fields_in_class(cls) and not is_asked_by_pydantic():
                return _field(cls, name)
            try:
                return super().__getattr__(name)
            except AttributeError as error:
                fields = fields_in_class(cls)
                question = "" if name.startswith("_") else f". {did_you_mean(name, fields)}".rstrip(". ")
                error.args = (f"{cls.__name__} has no field {name!r}; it has {', '.join(fields)}{question}",)
                if name in METHODS:
                    error.args = (
                        f"{cls.__name__} has no method {name}, which redis-om has: {METHODS[name]}.",
                    )
                raise


class FieldOnClass:
    """A field on the class, in place of an attribute of a base with the same name. Documents have their own values."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, document: Any, model: Any = None) -> Any:
        if document is not None or is_asked_by_pydantic():
            raise AttributeError(self._name)
        return _field(model, self._name)


class KeyAlias(property):
    """`pk` of a model whose primary key has another name.

    On an instance it is the value, on the class the field. A property, because pydantic allows assignment only to
    properties.
    """

    def __init__(self, name: str) -> None:
        def read(document: Any) -> Any:
            return getattr(document, name)

        def write(document: Any, value: Any) -> None:
            setattr(document, name, value)

        super().__init__(read, write, doc=f"The primary key: another name of `{name}`.")
        self._name = name

    def __get__(self, document: Any, model: Any = None) -> Any:
        if document is None and not is_asked_by_pydantic():
            return _field(model, self._name)
        return super().__get__(document, model)


def _field(model: Any, name: str) -> Any:
    from redstart.mapping.field_proxies import FieldProxy  # noqa: PLC0415 - declaring models needs no queries

    return FieldProxy(model, (name,))


NEEDED: Final = ("check", "key", "save")
"""Methods that are called to save a document."""


def refuse_needed_names(model: Any) -> None:
    """Raise RedisModelError if a field has the name of a method that saving needs."""
    for name in NEEDED:
        if name in model.model_fields:
            raise RedisModelError(
                f"{model_name(model)}.{name} cannot be a field: the name is that of a method that saving needs.",
                f"Rename the field, for example to {name}_.",
            )


def install_field_proxies(model: Any) -> None:
    """Make `Model.copy` the field, if a model has a field of that name."""
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
