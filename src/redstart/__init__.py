"""Redstart: a Redis object mapper whose schema and data migrations can be run in production.

Names are resolved on first use, so that importing the package (and starting `om`) loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redstart.errors import RedstartError as RedstartError
    from redstart.mapping.fields import Field as Field
    from redstart.mapping.models import EmbeddedJsonModel as EmbeddedJsonModel
    from redstart.mapping.models import HashModel as HashModel
    from redstart.mapping.models import JsonModel as JsonModel
    from redstart.mapping.models import RedisModel as RedisModel

__version__ = "0.1.0.dev0"

_HOME_OF = {
    "EmbeddedJsonModel": "redstart.mapping.models",
    "Field": "redstart.mapping.fields",
    "HashModel": "redstart.mapping.models",
    "JsonModel": "redstart.mapping.models",
    "RedisModel": "redstart.mapping.models",
    "RedstartError": "redstart.errors",
}

__all__ = ["EmbeddedJsonModel", "Field", "HashModel", "JsonModel", "RedisModel", "RedstartError"]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
