"""The modules at redis-om's paths, name by name as redis-om has them."""

import importlib
import inspect
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tools.generate_paths import HOMES, MODULES

import redstart
import redstart.aio
import redstart.settings

SCRIPT = Path(__file__).with_name("module_names.py")

INSIDE = {
    "redis_om.checks": {"check_for_command"},
    "redis_om.model.model": {
        *(
            "BaseMeta",
            "DefaultMeta",
            "Model",
            "RedisOmConfig",
            "RelationshipInfo",
            "PrimaryKey",
            "PrimaryKeyAccessor",
        ),
        *(
            "PipelineError",
            "RediSearchFieldTypes",
            "TokenEscaper",
            "jsonable_encoder",
            "render_tree",
            "escaper",
        ),
        *(
            "convert_base64_to_bytes",
            "convert_bytes_to_base64",
            "convert_bytes_to_vector",
            "convert_vector_to_bytes",
        ),
        *("convert_datetime_to_timestamp", "convert_timestamp_to_datetime", "convert_empty_strings_to_none"),
        *("decode_redis_value", "embedded", "get_outer_type", "outer_type_or_annotation", "remove_prefix"),
        *("ASYNC_MODE", "CoordinateType"),
        *(
            "has_numeric_inner_type",
            "is_numeric_type",
            "is_supported_container_type",
            "should_index_field",
        ),
        *("search_document_keys", "search_documents", "search_total", "supports_hash_field_expiration"),
        *("validate_model_fields", "verify_pipeline_response"),
    },
    "redis_om.model.migrations.data.builtin.datetime_migration": {
        *("MigrationState", "MigrationStats", "SchemaMismatchError", "index_field_schema"),
    },
    "redis_om.model.types": {"parse_redis"},
    "redis_om.redisvl": {
        "get_outer_type",
        "is_numeric_type",
        "is_supported_container_type",
        "should_index_field",
    },
    "redis_om.util": {"has_numeric_inner_type", "is_async_mode", "is_numeric_type"},
}
"""Names that say how redis-om does its work: nobody's interface."""

INSIDE_MODULES = (
    *(
        "async_redis",
        "cli",
        "sync_redis",
        "search_reply",
        "model.cli",
        "model.encoders",
        "model.query_resolver",
    ),
    *("model.render_tree", "model.token_escaper", "model.migrations.utils"),
    *("model.migrations.data.base", "model.migrations.data.migrator"),
    *("model.migrations.schema.base", "model.migrations.schema.migrator"),
)

REACHED = {"FieldInfo", "JsonModel", "RedisModel", "VectorFieldOptions", "get_redis_connection"}
"""Imported by modules that do not mean to offer them."""


@pytest.fixture(scope="module")
def theirs(python_with_1x: str) -> dict[str, dict[str, list[str] | None]]:
    """The names of redis-om's modules; of functions with their arguments."""
    done = subprocess.run([python_with_1x, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names: dict[str, dict[str, list[str] | None]] = json.loads(done.stdout.splitlines()[-1])
    return names


def ours(module: str) -> Any:
    """The module that takes the place of one of redis-om's."""
    library, _, path = module.partition(".")
    package = "redstart" if library == "redis_om" else "redstart.aio"
    return importlib.import_module(f"{package}.{path}" if path else package)


@pytest.mark.redis_om
@pytest.mark.parametrize("library", ["redis_om", "aredis_om"])
def test_every_name_is_there_that_is_not_inside(theirs: Any, library: str) -> None:
    checked = 0
    for module, names in theirs.items():
        own, _, path = module.partition(".")
        if own != library or path.startswith(INSIDE_MODULES):
            continue
        left_out = INSIDE.get(f"redis_om.{path}", set())
        if path in ("checks", "redisvl"):
            left_out = left_out | REACHED
        for name in set(names) - left_out:
            assert hasattr(ours(module), name), f"{module}.{name}"
            checked += 1
        assert not [name for name in left_out & set(names) if name in MODULES.get(path, "").split()], module
    assert checked >= 80


@pytest.mark.redis_om
def test_functions_take_the_same_arguments(theirs: Any) -> None:
    compared = 0
    for module, names in theirs.items():
        path = module.partition(".")[2]
        for name in MODULES.get(path, "").split():
            parameters = names.get(name)
            if parameters is None or name in (
                "Field",
                "get_redis_connection",
            ):  # theirs take anything, by name
                continue
            assert list(
                inspect.signature(getattr(ours(module), name)).parameters
            ) == parameters or name.startswith("schema_")
            compared += 1
    assert compared >= 10


@pytest.mark.parametrize("package", ["redstart", "redstart.aio"])
@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_the_names_of_the_table(package: str, module: str) -> None:
    found = importlib.import_module(f"{package}.{module}")
    for name in MODULES[module].split():
        home = HOMES[name].format(colour="aio" if package == "redstart.aio" else "sync")
        own_module, _, own = home.partition(":")
        expected = getattr(importlib.import_module(f"redstart.{own_module}"), own or name)
        assert name == "URL" or getattr(found, name) is expected


def test_names_that_are_no_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://here:1")
    for colour in ("aio", "sync"):
        assert importlib.import_module(f"redstart.{colour}.connections").URL == "redis://here:1"
    assert "://" in importlib.import_module("redstart.connections").URL  # as it was when that was imported
    with pytest.raises(AttributeError, match="no attribute 'NOTHING'"):
        _ = importlib.import_module("redstart.sync.connections").NOTHING
    assert redstart.settings.get_root_migrations_dir() == "migrations"
    monkeypatch.setenv("REDIS_OM_MIGRATIONS_DIR", "elsewhere")
    assert redstart.settings.get_root_migrations_dir() == "elsewhere"
    assert importlib.import_module("redstart.util").ASYNC_MODE is False
    assert importlib.import_module("redstart.aio.util").ASYNC_MODE is True
    registry = importlib.import_module("redstart.model.model").model_registry

    class Registered(redstart.HashModel):
        pass

    assert registry[f"{__name__}.{Registered.__qualname__}"] is Registered
