"""Models and queries for asyncio: the names of `redstart`, with coroutines for all communication with a server.

Names are resolved on first use, so that declaring a model costs no client of a server.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from redstart.unavailable_names import MODULES, attribute_of

# Generated: change tools/public_names.py, then `python -m tools.generate_names`.
if TYPE_CHECKING:
    import redis.asyncio as redis

    from redstart.aio.checks import has_redis_json as has_redis_json
    from redstart.aio.checks import has_redisearch as has_redisearch
    from redstart.aio.connections import get_redis_connection as get_redis_connection
    from redstart.aio.date_migration import DateMigration as DateMigration
    from redstart.aio.find import FindQuery as FindQuery
    from redstart.aio.index_migrations import Migrator as Migrator
    from redstart.aio.index_migrations import SchemaDetector as SchemaDetector
    from redstart.aio.models import EmbeddedJsonModel as EmbeddedJsonModel
    from redstart.aio.models import HashModel as HashModel
    from redstart.aio.models import JsonModel as JsonModel
    from redstart.aio.project_migrations import FileMigrations as FileMigrations
    from redstart.aio.redis_model import RedisModel as RedisModel
    from redstart.aio.redis_om_migrators import BaseMigration as BaseMigration
    from redstart.aio.redis_om_migrators import DataMigrator as DataMigrator
    from redstart.aio.redis_om_migrators import SchemaMigrator as SchemaMigrator
    from redstart.errors import DocumentDecodeError as DocumentDecodeError
    from redstart.errors import DocumentEncodeError as DocumentEncodeError
    from redstart.errors import IndexNotFoundError as IndexNotFoundError
    from redstart.errors import LeaseHeldError as LeaseHeldError
    from redstart.errors import MigrationError as MigrationError
    from redstart.errors import NotFoundError as NotFoundError
    from redstart.errors import QueryError as QueryError
    from redstart.errors import QueryNotSupportedError as QueryNotSupportedError
    from redstart.errors import QuerySyntaxError as QuerySyntaxError
    from redstart.errors import RedisModelError as RedisModelError
    from redstart.errors import RedstartError as RedstartError
    from redstart.errors import ServerConnectionError as ServerConnectionError
    from redstart.mapping.coordinates import Coordinates as Coordinates
    from redstart.mapping.fields import Field as Field
    from redstart.mapping.vectors import VectorFieldOptions as VectorFieldOptions
    from redstart.migrations.outcomes import Outcome as Outcome
    from redstart.search.expressions import KNNExpression as KNNExpression
    from redstart.search.expressions import col as col
    from redstart.search.geo import GeoFilter as GeoFilter

_HOME_OF = {
    "BaseMigration": "redstart.aio.redis_om_migrators",
    "Coordinates": "redstart.mapping.coordinates",
    "DataMigrator": "redstart.aio.redis_om_migrators",
    "DateMigration": "redstart.aio.date_migration",
    "DocumentDecodeError": "redstart.errors",
    "DocumentEncodeError": "redstart.errors",
    "EmbeddedJsonModel": "redstart.aio.models",
    "Field": "redstart.mapping.fields",
    "FileMigrations": "redstart.aio.project_migrations",
    "FindQuery": "redstart.aio.find",
    "GeoFilter": "redstart.search.geo",
    "HashModel": "redstart.aio.models",
    "IndexNotFoundError": "redstart.errors",
    "JsonModel": "redstart.aio.models",
    "KNNExpression": "redstart.search.expressions",
    "LeaseHeldError": "redstart.errors",
    "MigrationError": "redstart.errors",
    "Migrator": "redstart.aio.index_migrations",
    "NotFoundError": "redstart.errors",
    "Outcome": "redstart.migrations.outcomes",
    "QueryError": "redstart.errors",
    "QueryNotSupportedError": "redstart.errors",
    "QuerySyntaxError": "redstart.errors",
    "RedisModel": "redstart.aio.redis_model",
    "RedisModelError": "redstart.errors",
    "RedstartError": "redstart.errors",
    "SchemaDetector": "redstart.aio.index_migrations",
    "SchemaMigrator": "redstart.aio.redis_om_migrators",
    "ServerConnectionError": "redstart.errors",
    "VectorFieldOptions": "redstart.mapping.vectors",
    "col": "redstart.search.expressions",
    "get_redis_connection": "redstart.aio.connections",
    "has_redis_json": "redstart.aio.checks",
    "has_redisearch": "redstart.aio.checks",
}

__all__ = [
    "BaseMigration",
    "Coordinates",
    "DataMigrator",
    "DateMigration",
    "DocumentDecodeError",
    "DocumentEncodeError",
    "EmbeddedJsonModel",
    "Field",
    "FileMigrations",
    "FindQuery",
    "GeoFilter",
    "HashModel",
    "IndexNotFoundError",
    "JsonModel",
    "KNNExpression",
    "LeaseHeldError",
    "MigrationError",
    "Migrator",
    "NotFoundError",
    "Outcome",
    "QueryError",
    "QueryNotSupportedError",
    "QuerySyntaxError",
    "RedisModel",
    "RedisModelError",
    "RedstartError",
    "SchemaDetector",
    "SchemaMigrator",
    "ServerConnectionError",
    "VectorFieldOptions",
    "col",
    "get_redis_connection",
    "has_redis_json",
    "has_redisearch",
    "redis",
]
# End of the generated lines.


def __getattr__(name: str) -> object:
    if name == "redis":
        return import_module("redis.asyncio")
    if name not in _HOME_OF:
        return attribute_of(__name__, name, MODULES)
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
