# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `redis_om.model`."""

from redstart.errors import MigrationError, NotFoundError
from redstart.mapping.fields import Field
from redstart.mapping.vectors import VectorFieldOptions
from redstart.search.expressions import KNNExpression
from redstart.sync.index_migrations import Migrator
from redstart.sync.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.sync.redis_model import RedisModel
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
