"""Writes the modules with redis-om's names at redis-om's paths: `python -m tools.generate_paths`.

`from redis_om.model.model import X` becomes `from redstart.model.model import X`, and `aredis_om` becomes
`redstart.aio`. A test compares the result with what is committed, and the names with those of redis-om.
"""

from pathlib import Path

from redstart.unavailable_names import INSTEAD
from tools.generate_sync import PACKAGES, formatted
from tools.public_names import home_of

MARK = "# Generated: change tools/generate_paths.py, then `python -m tools.generate_paths`.\n"

MODELS = (
    "EmbeddedJsonModel Field HashModel JsonModel KNNExpression NotFoundError RedisModel VectorFieldOptions"
)
CLASSES = "Expression ExpressionProxy FieldInfo FindQuery ModelMeta NegatedExpression Operators PartialModel"
REACHED_THERE = (
    "ASYNC_MODE BaseMeta CoordinateType Coordinates DEFAULT_PAGE_SIZE DEFAULT_REDISEARCH_FIELD_SEPARATOR DefaultMeta "
    "GeoFilter PipelineError PrimaryKey PrimaryKeyCreator QueryNotSupportedError QuerySyntaxError RediSearchFieldTypes "
    "RedisModelError SINGLE_VALUE_TAG_FIELD_SEPARATOR TokenEscaper UlidPrimaryKey escaper "
    "get_redis_connection has_redis_json has_redisearch model_registry supports_hash_field_expiration "
    "verify_pipeline_response"
)
INDEXES = "IndexMigration MigrationAction MigrationError Migrator SchemaDetector import_submodules"
BUILT_IN = "ConversionFailureMode DatetimeFieldDetector DatetimeFieldMigration"
DATA_FILES = "BaseMigration DataMigrationError DataMigrator"
SCHEMA_FILES = "BaseSchemaMigration SchemaMigrationError SchemaMigrator"

KEYS_BESIDE = "schema_hash_key schema_text_key"

MODULES = {
    "async_redis": "redis",
    "checks": "check_for_command has_redis_json has_redisearch",
    "connections": "URL get_redis_connection redis",
    "model": f"{MODELS} MigrationError Migrator",
    "model.migrations": f"{DATA_FILES} {SCHEMA_FILES} MigrationAction MigrationError SchemaDetector",
    "model.encoders": "",
    "model.migrations.data": DATA_FILES,
    "model.migrations.data.base": DATA_FILES.removesuffix(" DataMigrator"),
    "model.migrations.data.builtin": BUILT_IN,
    "model.migrations.data.builtin.datetime_migration": f"{BUILT_IN} BaseMigration DataMigrationError",
    "model.migrations.data.migrator": DATA_FILES,
    "model.migrations.data_migrator": DATA_FILES,
    "model.migrations.migrator": f"{INDEXES} create_index schema_hash_key",
    "model.migrations.schema": f"{SCHEMA_FILES} {INDEXES}",
    "model.migrations.schema.base": SCHEMA_FILES.removesuffix(" SchemaMigrator"),
    "model.migrations.schema.legacy_migrator": f"{INDEXES} create_index {KEYS_BESIDE}",
    "model.migrations.schema.migrator": f"{SCHEMA_FILES} MigrationAction SchemaDetector {KEYS_BESIDE}",
    "model.model": f"{MODELS} {CLASSES} {REACHED_THERE}",
    "model.query_resolver": "",
    "model.render_tree": "",
    "model.token_escaper": "TokenEscaper",
    "model.types": "CoordinateType Coordinates GeoFilter RadiusUnit",
    "redisvl": "get_redisvl_index to_redisvl_schema",
    "search_reply": "",
    "settings": "get_root_migrations_dir",
    "sync_redis": "redis",
    "util": "ASYNC_MODE is_async_mode",
}
"""The names of each module of redis-om, below `redis_om` and `aredis_om`."""


def generated() -> dict[str, str]:
    """Return the text of the generated modules, by their path in the package; without modules written by hand."""
    files: dict[str, str] = {}
    for colour, package, library in (("sync", "", "redis_om"), ("aio", "aio/", "aredis_om")):
        for module, names in MODULES.items():
            holds_others = any(other.startswith(f"{module}.") for other in MODULES)
            path = f"{package}{module.replace('.', '/')}{'/__init__' * holds_others}.py"
            if not is_by_hand(PACKAGES / path):
                text = _text(library, module, colour, sorted(names.split(), key=_constants_first))
                files[path] = formatted(text, f"src/redstart/{path}")
    return files


def _submodules(path: str) -> tuple[str, ...]:
    """Return the names of the modules directly inside one of the table."""
    inside = [other.removeprefix(f"{path}.") for other in MODULES if other.startswith(f"{path}.")]
    return tuple(sorted({name for name in inside if "." not in name}))


def _constants_first(name: str) -> tuple[bool, str]:
    """Return a sort key: the order of names that ruff requires."""
    return (not name.isupper(), name)


def is_by_hand(path: Path) -> bool:
    """Whether a file is there that no tool wrote."""
    return path.exists() and not path.read_text(encoding="utf-8").startswith(MARK)


def _text(library: str, module: str, colour: str, names: list[str]) -> str:
    submodules, has_left_out = _submodules(module), module in INSTEAD
    lines = [f'{MARK}"""The names of `{library}.{module}`."""\n']
    for name in names:
        if name == "redis":
            of_asyncio = module == "async_redis" or (module != "sync_redis" and colour == "aio")
            lines.append("import redis.asyncio as redis" if of_asyncio else "import redis")
            continue
        home, own = home_of(name, colour)
        lines.append(f"from redstart.{home} import " + (name if own == name else f"{own} as {name}"))
    if submodules or has_left_out:
        lines.append("from redstart.unavailable_names import attribute_of")
    lines += ["", f"__all__ = {names!r}", ""]
    if submodules or has_left_out:
        arguments = f", {submodules!r}" * bool(submodules)
        lines += [
            "def __getattr__(name: str) -> object:",
            f"    return attribute_of(__name__, name{arguments})",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Write the files, and remove those that are not in the table any more."""
    files = generated()
    for path in PACKAGES.rglob("*.py"):
        if path.read_text(encoding="utf-8").startswith(MARK):
            path.unlink()
    for name, text in files.items():
        path = PACKAGES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
