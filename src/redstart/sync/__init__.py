# Generated from redstart/aio/__init__.py: change that, then `python -m tools.generate_sync`.
"""Models and queries for plain functions: the names of `redstart`, with functions for all communication with a server.

Names are resolved on first use, so that declaring a model costs no client of a server.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from redstart.unavailable_names import MODULES, attribute_of

# Generated: change tools/public_names.py, then `python -m tools.generate_names`.
if TYPE_CHECKING:
    import redis as redis

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
    from redstart.sync.checks import has_redis_json as has_redis_json
    from redstart.sync.checks import has_redisearch as has_redisearch
    from redstart.sync.connections import get_redis_connection as get_redis_connection
    from redstart.sync.date_migration import DateMigration as DateMigration
    from redstart.sync.find import FindQuery as FindQuery
    from redstart.sync.index_migrations import Migrator as Migrator
    from redstart.sync.index_migrations import SchemaDetector as SchemaDetector
    from redstart.sync.models import EmbeddedJsonModel as EmbeddedJsonModel
    from redstart.sync.models import HashModel as HashModel
    from redstart.sync.models import JsonModel as JsonModel
    from redstart.sync.project_migrations import FileMigrations as FileMigrations
    from redstart.sync.redis_model import RedisModel as RedisModel
    from redstart.sync.redis_om_migrators import BaseMigration as BaseMigration
    from redstart.sync.redis_om_migrators import DataMigrator as DataMigrator
    from redstart.sync.redis_om_migrators import SchemaMigrator as SchemaMigrator

_HOME_OF = {
    "BaseMigration": "redstart.sync.redis_om_migrators",
    "Coordinates": "redstart.mapping.coordinates",
    "DataMigrator": "redstart.sync.redis_om_migrators",
    "DateMigration": "redstart.sync.date_migration",
    "DocumentDecodeError": "redstart.errors",
    "DocumentEncodeError": "redstart.errors",
    "EmbeddedJsonModel": "redstart.sync.models",
    "Field": "redstart.mapping.fields",
    "FileMigrations": "redstart.sync.project_migrations",
    "FindQuery": "redstart.sync.find",
    "GeoFilter": "redstart.search.geo",
    "HashModel": "redstart.sync.models",
    "IndexNotFoundError": "redstart.errors",
    "JsonModel": "redstart.sync.models",
    "KNNExpression": "redstart.search.expressions",
    "LeaseHeldError": "redstart.errors",
    "MigrationError": "redstart.errors",
    "Migrator": "redstart.sync.index_migrations",
    "NotFoundError": "redstart.errors",
    "Outcome": "redstart.migrations.outcomes",
    "QueryError": "redstart.errors",
    "QueryNotSupportedError": "redstart.errors",
    "QuerySyntaxError": "redstart.errors",
    "RedisModel": "redstart.sync.redis_model",
    "RedisModelError": "redstart.errors",
    "RedstartError": "redstart.errors",
    "SchemaDetector": "redstart.sync.index_migrations",
    "SchemaMigrator": "redstart.sync.redis_om_migrators",
    "ServerConnectionError": "redstart.errors",
    "VectorFieldOptions": "redstart.mapping.vectors",
    "col": "redstart.search.expressions",
    "get_redis_connection": "redstart.sync.connections",
    "has_redis_json": "redstart.sync.checks",
    "has_redisearch": "redstart.sync.checks",
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
        return import_module("redis")
    if name not in _HOME_OF:
        return attribute_of(__name__, name, MODULES)
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
