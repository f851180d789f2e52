"""Names of redis-om that Redstart does not have, and what to use in their place."""

from importlib import import_module
from importlib.util import find_spec
from typing import Final

from redstart.next_steps import Command

_VALIDATE: Final = "use Model.get(pk) or Model.from_redis(reply), which read stored values"
_STORED: Final = "use save(); to see the stored value, read the key with Model.db()"
_TYPES: Final = "use typing.get_origin() and typing.get_args() of the annotation"
_REPLIES: Final = (
    "use Model.from_redis(reply) for documents of a reply, and Model.find(...).count() for their number"
)
_INDEXED: Final = "use Model.redisearch_schema(), which contains all indexed fields"
_STATE: Final = f"show the progress of a run with: {Command('migrate-data progress')!s}"
_DETECTOR: Final = f"use DatetimeFieldDetector, or: {Command('migrate-data check-schema')!s}"
_OPERATORS: Final = "combine conditions with &, | and ~"
_CONFIG: Final = "use pydantic.ConfigDict in model_config, and index=True on the class"
_UNUSED: Final = "it is internal to redis-om, and Redstart has no equivalent"
_CONDITIONS: Final = "annotate conditions as Expression"

INSTEAD: Final[dict[str, dict[str, str]]] = {
    "model.encoders": {
        "DictIntStrAny": _UNUSED,
        "ENCODERS_BY_TYPE": "use pydantic_core.to_jsonable_python(value)",
        "PYDANTIC_V2": _UNUSED,
        "SetIntStr": _UNUSED,
        "encoders_by_class_tuples": "use pydantic_core.to_jsonable_python(value)",
        "generate_encoders_by_class_tuples": "use pydantic_core.to_jsonable_python(value)",
        "jsonable_encoder": "use pydantic_core.to_jsonable_python(value)",
    },
    "model.migrations.data.base": {"PerformanceMonitor": _STATE},
    "model.migrations.data.migrator": {"PerformanceMonitor": _STATE},
    "model.migrations.data.builtin.datetime_migration": {
        "MigrationState": _STATE,
        "MigrationStats": "use DatetimeFieldMigration().get_migration_stats(), which returns a dict",
        "SchemaMismatchError": _DETECTOR,
        "index_field_schema": _DETECTOR,
    },
    "model.model": {
        "ERRORS_URL": 'the errors are described under "Errors" in the documentation',
        "ExpressionOrModelField": _CONDITIONS,
        "ExpressionOrNegated": _CONDITIONS,
        "PYDANTIC_V2": _UNUSED,
        "Model": 'use typing.TypeVar("Model", bound=RedisModel)',
        "PrimaryKeyAccessor": "use Model.pk for the field of the primary key, and document.pk for its value",
        "RedisOmConfig": _CONFIG,
        "RelationshipInfo": "store the primary key of the other document",
        "convert_datetime_to_timestamp": "use timestamp() of an aware datetime",
        "convert_base64_to_bytes": _VALIDATE,
        "convert_bytes_to_base64": _STORED,
        "convert_bytes_to_vector": _VALIDATE,
        "convert_empty_strings_to_none": _VALIDATE,
        "convert_timestamp_to_datetime": _VALIDATE,
        "convert_vector_to_bytes": _STORED,
        "decode_redis_value": "create the client with decode_responses=True",
        "embedded": "set Meta.embedded, or derive the class from EmbeddedJsonModel",
        "get_outer_type": _TYPES,
        "has_numeric_inner_type": _TYPES,
        "is_numeric_type": _TYPES,
        "is_supported_container_type": _TYPES,
        "jsonable_encoder": "use pydantic_core.to_jsonable_python(value)",
        "outer_type_or_annotation": _TYPES,
        "remove_prefix": "use str.removeprefix()",
        "render_tree": "use Model.find(...).expression.tree",
        "search_document_keys": _REPLIES,
        "search_documents": _REPLIES,
        "search_total": _REPLIES,
        "should_index_field": _INDEXED,
        "validate_model_fields": "use document.update(...), which raises QuerySyntaxError for an unknown field",
    },
    "model.query_resolver": {
        "And": _OPERATORS,
        "LogicalOperatorForListOfExpressions": _OPERATORS,
        "Not": _OPERATORS,
        "Or": _OPERATORS,
        "QueryResolver": "use Model.find(...).query, the text of the query",
    },
    "model.render_tree": {"render_tree": "use Model.find(...).expression.tree"},
    "model.types": {
        "PYDANTIC_V2": _UNUSED,
        "parse_redis": "use pydantic.TypeAdapter(Coordinates).validate_python(text)",
    },
    "redisvl": {
        "get_outer_type": _TYPES,
        "is_numeric_type": _TYPES,
        "is_supported_container_type": _TYPES,
        "should_index_field": _INDEXED,
    },
    "search_reply": {
        "index_field_schema": "use Model.db().ft(name).info()",
        "index_info_as_dict": "use Model.db().ft(name).info()",
        "pairs_to_dict": _REPLIES,
        "search_document_keys": _REPLIES,
        "search_documents": _REPLIES,
        "search_total": _REPLIES,
        "string_keyed": _REPLIES,
        "to_string": "create the client with decode_responses=True",
    },
    "util": {"NUMERIC_TYPES": _TYPES, "has_numeric_inner_type": _TYPES, "is_numeric_type": _TYPES},
}
"""The replacement of each name, by module below `redis_om` and `aredis_om`."""


METHODS: Final = {
    "_delete": "use delete(pk), delete_many(documents) or db().delete(key)",
    "_get_model_fields": "use model_fields",
    "schema_for_type": "use schema_for_fields(), which returns the index definition of each field",
    "validate_pk": "a primary key that is None or empty is generated when a document is created",
    "validate_primary_key": "the primary key is checked when the class is created",
}
"""The replacement of each method of redis-om's models that Redstart does not have."""

MODULES: Final = (
    "async_redis",
    "checks",
    "connections",
    "model",
    "redisvl",
    "settings",
    "sync_redis",
    "util",
    *("aio", "errors"),
)
"""Submodules that are available without an import, as in redis-om, and two of Redstart."""


def attribute_of(module: str, name: str, submodules: tuple[str, ...] = ()) -> object:
    """Import and return a submodule that is used as an attribute of its package.

    Raises:
        ImportError: the name exists in redis-om, but not in Redstart. (Python would replace an AttributeError with
            one without the hint.)
        AttributeError: the name does not exist.
    """
    if name in submodules and find_spec(f"{module}.{name}") is not None:
        return import_module(f"{module}.{name}")
    path = module.removeprefix("redstart.").removeprefix("aio.").removeprefix("sync.")
    instead = INSTEAD.get(path, {}).get(name)
    if instead is not None:
        raise ImportError(
            f"{module} has no {name}, which redis-om has: {instead}. "
            'All such names are listed under "Names that are not available" in the documentation.',
            name=module,
        )
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
