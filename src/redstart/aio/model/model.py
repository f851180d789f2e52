# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.
"""The names of `aredis_om.model.model`."""

from redstart.aio.checks import has_redis_json, has_redisearch, supports_hash_field_expiration
from redstart.aio.connections import get_redis_connection
from redstart.aio.find import FindQuery
from redstart.aio.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.aio.redis_model import RedisModel
from redstart.aio.util import ASYNC_MODE
from redstart.documents.fetch import PAGE_DOCUMENTS as DEFAULT_PAGE_SIZE
from redstart.documents.projection import PartialModel
from redstart.documents.save import verify_pipeline_response
from redstart.errors import (
    NotFoundError,
    PipelineError,
    QueryNotSupportedError,
    QuerySyntaxError,
    RedisModelError,
)
from redstart.mapping.base_model import model_registry
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.coordinates import Coordinates as CoordinateType
from redstart.mapping.field_proxies import FieldProxy as ExpressionProxy
from redstart.mapping.fields import TAG_SEPARATOR as SINGLE_VALUE_TAG_FIELD_SEPARATOR
from redstart.mapping.fields import Field, FieldInfo
from redstart.mapping.meta import BaseMeta
from redstart.mapping.meta import BaseMeta as DefaultMeta
from redstart.mapping.metaclass import QueryableModel as ModelMeta
from redstart.mapping.primary_keys import PrimaryKey, PrimaryKeyCreator, UlidPrimaryKey
from redstart.mapping.vectors import VectorFieldOptions
from redstart.search.escaping import TokenEscaper, escaper
from redstart.search.expressions import Expression, KNNExpression
from redstart.search.expressions import Negation as NegatedExpression
from redstart.search.expressions import Operator as Operators
from redstart.search.geo import GeoFilter
from redstart.search.schema import DEFAULT_TAG_SEPARATOR as DEFAULT_REDISEARCH_FIELD_SEPARATOR
from redstart.search.schema import FieldKind as RediSearchFieldTypes
from redstart.unavailable_names import attribute_of

__all__ = [
    "ASYNC_MODE",
    "DEFAULT_PAGE_SIZE",
    "DEFAULT_REDISEARCH_FIELD_SEPARATOR",
    "SINGLE_VALUE_TAG_FIELD_SEPARATOR",
    "BaseMeta",
    "CoordinateType",
    "Coordinates",
    "DefaultMeta",
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
    "PipelineError",
    "PrimaryKey",
    "PrimaryKeyCreator",
    "QueryNotSupportedError",
    "QuerySyntaxError",
    "RediSearchFieldTypes",
    "RedisModel",
    "RedisModelError",
    "TokenEscaper",
    "UlidPrimaryKey",
    "VectorFieldOptions",
    "escaper",
    "get_redis_connection",
    "has_redis_json",
    "has_redisearch",
    "model_registry",
    "supports_hash_field_expiration",
    "verify_pipeline_response",
]


def __getattr__(name: str) -> object:
    return attribute_of(__name__, name)
