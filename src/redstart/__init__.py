"""Redstart: a Redis object mapper whose schema and data migrations can be run in production.

Names are resolved on first use, so that importing the package (and starting `om`) loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str

# Generated: change tools/public_names.py, then `python -m tools.generate_names`.
if TYPE_CHECKING:
    import redis as redis

    from redstart.sync import BaseMigration as BaseMigration
    from redstart.sync import Coordinates as Coordinates
    from redstart.sync import DataMigrator as DataMigrator
    from redstart.sync import DateMigration as DateMigration
    from redstart.sync import DocumentDecodeError as DocumentDecodeError
    from redstart.sync import DocumentEncodeError as DocumentEncodeError
    from redstart.sync import EmbeddedJsonModel as EmbeddedJsonModel
    from redstart.sync import Field as Field
    from redstart.sync import FileMigrations as FileMigrations
    from redstart.sync import FindQuery as FindQuery
    from redstart.sync import GeoFilter as GeoFilter
    from redstart.sync import HashModel as HashModel
    from redstart.sync import IndexNotFoundError as IndexNotFoundError
    from redstart.sync import JsonModel as JsonModel
    from redstart.sync import KNNExpression as KNNExpression
    from redstart.sync import LeaseHeldError as LeaseHeldError
    from redstart.sync import MigrationError as MigrationError
    from redstart.sync import Migrator as Migrator
    from redstart.sync import NotFoundError as NotFoundError
    from redstart.sync import Outcome as Outcome
    from redstart.sync import QueryError as QueryError
    from redstart.sync import QueryNotSupportedError as QueryNotSupportedError
    from redstart.sync import QuerySyntaxError as QuerySyntaxError
    from redstart.sync import RedisModel as RedisModel
    from redstart.sync import RedisModelError as RedisModelError
    from redstart.sync import RedstartError as RedstartError
    from redstart.sync import SchemaDetector as SchemaDetector
    from redstart.sync import SchemaMigrator as SchemaMigrator
    from redstart.sync import ServerConnectionError as ServerConnectionError
    from redstart.sync import VectorFieldOptions as VectorFieldOptions
    from redstart.sync import col as col
    from redstart.sync import get_redis_connection as get_redis_connection
    from redstart.sync import has_redis_json as has_redis_json
    from redstart.sync import has_redisearch as has_redisearch

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
    if name == "errors":
        return import_module("redstart.errors")
    if name == "__version__":
        return import_module("importlib.metadata").version("redstart")
    if name not in __all__:
        from redstart.unavailable_names import MODULES, attribute_of  # noqa: PLC0415 - the package alone loads nothing else

        return attribute_of(__name__, name, MODULES)
    return getattr(import_module("redstart.sync"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
