# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model`."""

from redstart.aio.index_migrations import Migrator
from redstart.aio.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.aio.redis_model import RedisModel
from redstart.errors import MigrationError, NotFoundError
from redstart.mapping.fields import Field
from redstart.mapping.vectors import VectorFieldOptions
from redstart.search.expressions import KNNExpression
from redstart.unavailable_names import attribute_of

__all__ = [
    "EmbeddedJsonModel",
    "Field",
    "HashModel",
    "JsonModel",
    "KNNExpression",
    "MigrationError",
    "Migrator",
    "NotFoundError",
    "RedisModel",
    "VectorFieldOptions",
]


def __getattr__(name: str) -> object:
    return attribute_of(
        __name__,
        name,
        ("encoders", "migrations", "model", "query_resolver", "render_tree", "token_escaper", "types"),
    )
