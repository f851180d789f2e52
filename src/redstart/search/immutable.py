"""Immutable objects that queries share."""

from dataclasses import fields
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


def immutable(cls: type[T]) -> type[T]:
    """Return a frozen dataclass whose assignment error names the alternative. Subclasses may have own attributes.

    (What `dataclass` itself makes ends in a TypeError with slots, as it looks for the class without them.)
    """
    own = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # a dataclass

    def refuse(self: object, name: str) -> NoReturn:
        raise AttributeError(
            f"{cls.__name__} objects are immutable, so the attribute {name!r} cannot be changed. "
            "Create another object instead.",
            name=name,
            obj=self,
        )

    def __setattr__(self: object, name: str, value: Any) -> None:
        if type(self) is cls or name in own:
            refuse(self, name)
        object.__setattr__(self, name, value)

    def __delattr__(self: object, name: str) -> None:
        if type(self) is cls or name in own:
            refuse(self, name)
        object.__delattr__(self, name)

    cls.__setattr__ = __setattr__  # type: ignore[method-assign]
    cls.__delattr__ = __delattr__  # type: ignore[method-assign]
    return cls
