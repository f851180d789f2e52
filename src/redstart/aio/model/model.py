# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.model`."""

from redstart.aio.checks import has_redis_json, has_redisearch
from redstart.aio.connections import get_redis_connection
from redstart.aio.find import FindQuery
from redstart.aio.models import HashModel, JsonModel
from redstart.aio.redis_model import RedisModel
from redstart.documents.projection import PartialModel
from redstart.errors import NotFoundError, QueryNotSupportedError, QuerySyntaxError, RedisModelError
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.fields import Field, FieldInfo
from redstart.mapping.models import EmbeddedJsonModel
from redstart.mapping.primary_keys import PrimaryKeyCreator, UlidPrimaryKey
from redstart.mapping.proxies import FieldProxy as ExpressionProxy
from redstart.mapping.queryable import QueryableModel as ModelMeta
from redstart.mapping.registry import model_registry
from redstart.mapping.vectors import VectorFieldOptions
from redstart.search.expressions import Expression, KNNExpression
from redstart.search.expressions import Negation as NegatedExpression
from redstart.search.expressions import Operator as Operators
from redstart.search.geo import GeoFilter

__all__ = [
    "Coordinates",
    "EmbeddedJsonModel",
    "Expression",
    "ExpressionProxy",
    "Field",
    "FieldInfo",
    "FindQuery",
    "GeoFilter",
    "HashModel",
    "JsonModel",
    "KNNExpression",
    "ModelMeta",
    "NegatedExpression",
    "NotFoundError",
    "Operators",
    "PartialModel",
    "PrimaryKeyCreator",
    "QueryNotSupportedError",
    "QuerySyntaxError",
    "RedisModel",
    "RedisModelError",
    "UlidPrimaryKey",
    "VectorFieldOptions",
    "get_redis_connection",
    "has_redis_json",
    "has_redisearch",
    "model_registry",
]
