"""Names of redis-om that Redstart does not have, and what to use in their place."""

from importlib import import_module
from importlib.util import find_spec
from typing import Final

_VALIDATE: Final = "Model.get(pk) and Model.from_redis(reply) read what is stored"
_STORED: Final = "a model's save() does this; to see what it stores, read the key with Model.db()"
_TYPES: Final = "ask the annotation itself, with typing.get_origin() and get_args()"
_REPLIES: Final = (
    "Model.from_redis(reply) makes documents of a reply to FT.SEARCH; Model.find(...).count() counts them"
)
_INDEXED: Final = "Model.redisearch_schema() has every field that is indexed"
_STATE: Final = "the progress of a run is shown by: om migrate-data progress"
_OPERATORS: Final = "combine conditions with &, | and ~"
_CONFIG: Final = "use pydantic.ConfigDict in model_config, and index=True on the class"
_UNUSED: Final = "redis-om itself uses it only; pydantic 2 and its own types need no such name"
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
        "MigrationStats": "DatetimeFieldMigration().get_migration_stats() returns a dict",
        "SchemaMismatchError": "see DatetimeFieldDetector, or: om migrate-data check-schema",
        "index_field_schema": "see DatetimeFieldDetector, or: om migrate-data check-schema",
    },
    "model.model": {
        "ERRORS_URL": 'the errors are described under "Errors" in the documentation',
        "ExpressionOrModelField": _CONDITIONS,
        "ExpressionOrNegated": _CONDITIONS,
        "PYDANTIC_V2": _UNUSED,
        "Model": 'use typing.TypeVar("Model", bound=RedisModel)',
        "PrimaryKeyAccessor": "Model.pk is the field of the primary key, and document.pk its value",
        "RedisOmConfig": _CONFIG,
        "RelationshipInfo": "documents refer to each other by their primary keys",
        "convert_datetime_to_timestamp": "use timestamp() of a datetime that has an offset",
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
        "render_tree": "print(Model.find(...).expression.tree)",
        "search_document_keys": _REPLIES,
        "search_documents": _REPLIES,
        "search_total": _REPLIES,
        "should_index_field": _INDEXED,
        "validate_model_fields": "document.update(...) raises QuerySyntaxError for an unknown field",
    },
    "model.query_resolver": {
        "And": _OPERATORS,
        "LogicalOperatorForListOfExpressions": _OPERATORS,
        "Not": _OPERATORS,
        "Or": _OPERATORS,
        "QueryResolver": "Model.find(...).query is the text of a query",
    },
    "model.render_tree": {"render_tree": "print(Model.find(...).expression.tree)"},
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
"""By module, below `redis_om` and `aredis_om`: what to do instead of using a name."""


METHODS: Final = {
    "_delete": "delete(pk) and delete_many(documents) delete documents, and db().delete(key) any key",
    "_get_model_fields": "use model_fields",
    "schema_for_type": "schema_for_fields() returns the part of each field in the definition of the index",
    "validate_pk": "a primary key that is None or empty is generated when a document is made",
    "validate_primary_key": "the primary key is checked when the class is made",
}
"""Methods of redis-om's models that Redstart's do not have."""

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
"""Modules that need no import of their own: those that redis-om imports with its package, and two of Redstart."""


def attribute_of(module: str, name: str, submodules: tuple[str, ...] = ()) -> object:
    """Return what a module does not hold itself: one of its submodules, imported now.

    Raises:
        ImportError: redis-om has this name and Redstart does not. (Python replaces an AttributeError here by one
            of its own, without a hint.)
        AttributeError: no such name is known.
    """
    if name in submodules and find_spec(f"{module}.{name}") is not None:
        return import_module(f"{module}.{name}")
    path = module.removeprefix("redstart.").removeprefix("aio.").removeprefix("sync.")
    instead = INSTEAD.get(path, {}).get(name)
    if instead is not None:
        raise ImportError(
            f"{module} has no {name}, which redis-om has: {instead}. "
            'For all such names, see "Names that are left out" in the documentation.',
            name=module,
        )
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
