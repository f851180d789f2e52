"""Commands that are told of fewer models than a run has converted: the record on the server names the others."""

import json
import textwrap
from pathlib import Path

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from tests.support.cli import run_om

ONE = """
    import datetime
    from redstart import JsonModel

    class {name}(JsonModel):
        at: datetime.datetime

        class Meta:
            global_key_prefix = "app"
            model_key_prefix = "{name}"
"""


@pytest.fixture
def modules(
    configured: str, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> redis.Redis:
    """Two modules with a model each, and a document of each, converted."""
    for name in ("fewer_a", "fewer_b"):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(ONE.format(name=name)))
        client.execute_command("JSON.SET", f"app:{name}:1", "$", json.dumps({"at": "2023-01-01T00:00:00Z"}))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("REDSTART_MODELS", "fewer_a,fewer_b")
    assert run_om("migrate-data", "run").code == 0
    return client


@pytest.mark.parametrize("undo_log", ["kept", "dropped"])
def test_verify_reads_the_values_of_all_that_were_converted(modules: redis.Redis, undo_log: str) -> None:
    if undo_log == "dropped":
        assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    found = run_om("migrate-data", "verify", "--models", "fewer_a")
    assert found.code == 0
    assert "fewer_b.fewer_b (app:fewer_b:) was converted and is not in --models" in found.stdout
    modules.execute_command("JSON.SET", "app:fewer_b:2", "$", json.dumps({"at": "2024-01-01T00:00:00Z"}))
    found = run_om("migrate-data", "verify", "--models", "fewer_a", "--json")
    assert found.code == 6
    assert [one["key"] for one in found.json["problems"]] == ["app:fewer_b:2"]
    assert [one["name"] for one in found.json["unnamed"]] == ["fewer_b.fewer_b"]


def test_documents_without_their_model_fail_the_verification(modules: redis.Redis) -> None:
    found = run_om("migrate-data", "verify", "--check-data", "--models", "fewer_a")
    assert found.code == 6
    assert "Verification passed" not in found.stdout
    assert "1 converted documents of fewer_b.fewer_b" in found.stdout
    assert "--models" in found.stdout
    assert run_om("migrate-data", "verify", "--check-data").code == 0
    modules.delete("app:fewer_b:1")  # of a removed model without documents nothing is left to read
    assert run_om("migrate-data", "verify", "--models", "fewer_a").code == 0


def test_status_has_all_that_a_run_has_worked_on(modules: redis.Redis) -> None:
    status = run_om("migrate-data", "status", "--models", "fewer_a", "--json").json
    assert [(one["name"], one["applied"], one["named"]) for one in status["models"]] == [
        ("fewer_a.fewer_a", True, True),
        ("fewer_b.fewer_b", True, False),
    ]
    assert (
        "fewer_b.fewer_b (app:fewer_b:) is in the record of a run and not in --models: applied"
        in run_om("migrate-data", "status", "--models", "fewer_a").stdout
    )


def test_a_model_that_a_run_began_and_no_later_one_named_is_pending(
    configured: str, modules: redis.Redis
) -> None:
    assert run_om("migrate-data", "rollback", ID, "--yes").code == 0
    assert run_om("migrate-data", "run", "--limit-documents", "1").code == 5
    assert run_om("migrate-data", "clear-progress", "--yes").code == 0
    assert run_om("migrate-data", "run", "--models", "fewer_a").code == 0
    status = run_om("migrate-data", "status", "--check", "--models", "fewer_a")
    assert status.code == 3
    assert "Name the modules of these models with --models" in status.stdout


@pytest.mark.parametrize("copy", ["dropped", "another's"])
def test_a_quarantined_value_whose_copy_is_gone_is_named(
    configured: str, modules: redis.Redis, copy: str
) -> None:
    modules.execute_command("JSON.SET", "app:fewer_a:2", "$", json.dumps({"at": "N/A"}))
    assert run_om("migrate-data", "run", "--failure-mode", "quarantine").code == 0
    place = ("app:fewer_a:2", "$.at__invalid")
    _ = (
        modules.execute_command("JSON.DEL", *place)
        if copy == "dropped"
        else modules.execute_command("JSON.SET", *place, "1")
    )
    found = run_om("migrate-data", "verify", "--check-data", "--json")
    assert found.code == 6
    named = {(one["key"], one["path"], one["value"]) for one in found.json["problems"]}
    assert ("app:fewer_a:2", "at", '"N/A"') in named
    assert any("the undo log has the only copy" in one["reason"] for one in found.json["problems"])
