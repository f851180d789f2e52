"""stats, status, progress: commands that only look."""

import re
from collections.abc import Callable

import pytest
import redis

from redstart.demo.sample import generate
from redstart.devserver.process import EmbeddedServer
from tests.support.cli import run_om
from tests.support.snapshot import difference, snapshot

DOCUMENTS = 60


def expected_outcomes() -> dict[str, int]:
    """From the instants the sample's generator started from, not from our own conversion."""
    values = [value for document in generate(DOCUMENTS) for value in document.expected.values()]
    return {
        "null": sum(value == "null" for value in values),
        "unconvertible": sum(value == "unconvertible" for value in values),
        "instants": sum(isinstance(value, int) for value in values),
    }


class TestStats:
    def test_counts_are_the_samples(self, station: redis.Redis) -> None:
        found = run_om("migrate-data", "stats", "--json").json
        values, expected = found["values"], expected_outcomes()
        assert found["documents"] == DOCUMENTS
        assert found["exact"] is True
        assert values["convertible"] + values["numeric"] + values["rounded"] == expected["instants"]
        assert values["null"] == expected["null"]
        assert values["unconvertible"] == expected["unconvertible"]

    def test_the_estimate_has_a_bound(self, station: redis.Redis) -> None:
        estimate = run_om("migrate-data", "stats", "--json").json["estimated_seconds"]
        assert 0 < estimate["low"] <= estimate["expected"] <= estimate["high"]
        # A ratio of 3 before each was rounded to a millisecond: of so few documents that is a tenth.
        assert estimate["high"] - 0.0005 <= 3 * (estimate["low"] + 0.0005)

    def test_a_person_reads_what_the_guide_asks_for(self, station: redis.Redis) -> None:
        found = run_om("migrate-data", "stats")
        assert found.code == 0
        for words in (
            "60 documents",
            "estimated time",
            "last save",
            "replicas",
            "memory",
            "maxmemory-policy",
        ):
            assert words in found.stdout
        assert "Sighting" in found.stdout
        assert "om migrate-data run --dry-run" in found.stdout

    def test_verbose_shows_fields_and_what_will_not_convert(self, station: redis.Redis) -> None:
        plain, verbose = run_om("migrate-data", "stats"), run_om("migrate-data", "stats", "--verbose")
        for words in ("measurements[].taken_at", "Failed values, to be left unchanged: "):
            assert words not in plain.stdout
            assert words in verbose.stdout

    def test_exact_reads_all_where_a_sample_is_read_otherwise(self, big_station: redis.Redis) -> None:
        with big_station.pipeline(transaction=False) as pipeline:
            for number in range(10_500):
                pipeline.hset(f"station:visit:more-{number}", "arrived_at", "2020-01-01")
            pipeline.execute()
        sampled = run_om("migrate-data", "stats", "--json").json
        exact = run_om("migrate-data", "stats", "--json", "--exact").json
        assert (sampled["exact"], exact["exact"]) == (False, True)
        assert 3_000 <= sampled["sampled_documents"] < 12_000
        assert exact["documents"] == exact["sampled_documents"] == 12_000
        assert sampled["documents"] == pytest.approx(12_000, rel=0.2)
        shown = run_om("migrate-data", "stats").stdout
        about = re.match(r"About (\d\d,\d00) documents with dates on \S+\n", shown)
        assert about is not None, shown
        assert float(about[1].replace(",", "")) == pytest.approx(12_000, rel=0.2)
        assert re.search(
            r"^Estimated from a sample of [\d,]+ documents: their total number may differ by \d+%, and rare values may "
            r"be missing\. Count all",
            shown,
            re.M,
        )
        assert "Values by model (estimate)\n" in shown

    def test_nothing_is_estimated_and_no_run_is_named_if_nothing_is_left(self, station: redis.Redis) -> None:
        assert run_om("migrate-data", "run", "--failure-mode", "quarantine").code in (0, 3)
        shown = run_om("migrate-data", "stats").stdout
        assert shown.endswith("\nNothing is left to convert.\n")
        assert "estimate" not in shown
        assert "om migrate-data run" not in shown

    @pytest.mark.parametrize("words", [("stats",), ("run", "--dry-run"), ("run",)])
    def test_no_document_is_said_and_is_no_error(self, configured: str, words: tuple[str, ...]) -> None:
        found = run_om("migrate-data", *words)
        assert found.code == 0
        first = found.stdout.splitlines()[0]
        if words == ("run",):
            assert first.startswith("No documents found under station:"), first
            assert "Nothing was converted; " in first
        else:
            assert "0 documents" in first
            assert "0 documents matched the prefixes station:" in found.stdout
        assert "--url" in found.stdout
        assert "database number" in found.stdout


class TestStatus:
    def test_check_turns_pending_work_into_exit_code_3(self, station: redis.Redis) -> None:
        assert run_om("migrate-data", "status").code == 0
        assert run_om("migrate-data", "status", "--check").code == 3
        assert run_om("migrate-data", "status", "--check", "--json").code == 3
        assert run_om("migrate-data", "run").code == 0
        assert run_om("migrate-data", "status", "--check").code == 0

    @pytest.mark.parametrize("option", ["--detailed", "--verbose", "-v"])
    def test_detailed_shows_each_model(self, station: redis.Redis, option: str) -> None:
        plain, detailed = run_om("migrate-data", "status"), run_om("migrate-data", "status", option)
        assert "station:visit:" not in plain.stdout
        assert "station:visit:" in detailed.stdout
        assert plain.stdout.startswith("Phase: pending (")

    def test_the_phases(self, station: redis.Redis) -> None:
        def phase() -> object:
            return run_om("migrate-data", "status", "--json").json["phase"]

        phases = [phase()]
        assert run_om("migrate-data", "run", "--limit-documents", "10").code == 5
        phases.append(phase())
        assert run_om("migrate-data", "run").code == 0
        phases.append(phase())
        assert run_om("migrate-data", "rollback", "001_datetime_fields_to_timestamps").code == 0
        phases.append(phase())
        assert phases == ["pending", "migrating", "converted", "pending"]

    def test_a_record_of_redis_om_alone_is_not_trusted(self, station: redis.Redis) -> None:
        station.sadd("redis_om:applied_migrations", "001_datetime_fields_to_timestamps")
        found = run_om("migrate-data", "status")
        assert "redis-om applied it, which it records even if nothing was converted" in found.stdout
        assert run_om("migrate-data", "status", "--check").code == 3

    def test_models_without_dates_have_nothing_to_migrate(
        self, configured: str, client: redis.Redis, write_module: Callable[[str], str]
    ) -> None:
        name = write_module("""
            from redstart import HashModel

            class Site(HashModel, index=True):
                name: str

                class Meta:
                    global_key_prefix = "station"
                    model_key_prefix = "site"
        """)
        for ran in (False, True):
            data = run_om("migrate-data", "status", "--models", name, "--json").json
            assert (data["applied"], data["pending"], data["models"]) == ([], [], [])
            assert (data["phase"], data["recorded_elsewhere"]) == ("nothing to migrate", False)
            shown = run_om("migrate-data", "status", "--models", name, "--detailed")
            assert shown.stdout.startswith("Phase: nothing to migrate (")
            for words in ("applied:", "pending:", "Convert with", "redis-om marked"):
                assert words not in shown.stdout
            assert run_om("migrate-data", "status", "--models", name, "--check").code == 0
            assert ran or run_om("migrate-data", "run", "--models", name).code == 0

    def test_converted_is_the_state_at_the_end_of_the_run(self, station: redis.Redis) -> None:
        assert run_om("migrate-data", "run").code == 0
        shown = run_om("migrate-data", "status").stdout
        assert re.match(r"Phase: converted \(.* by the last run, [0-9]+ s ago\)$", shown, re.MULTILINE)
        assert "Check documents written since then with: om migrate-data verify" in shown
        station.hset("station:visit:late", "arrived_at", "2020-01-01")
        assert run_om("migrate-data", "verify").code == 6
        assert run_om("migrate-data", "run", "--limit-documents", "1").code == 5
        assert "Phase: converted" not in run_om("migrate-data", "status").stdout
        assert run_om("migrate-data", "status", "--json").json["phase"] == "migrating"

    def test_a_model_that_was_added_is_not_converted(
        self, station: redis.Redis, monkeypatch: pytest.MonkeyPatch, write_module: Callable[[str], str]
    ) -> None:
        assert run_om("migrate-data", "run").code == 0
        added = write_module("""
            import datetime
            from redstart import HashModel

            class Tide(HashModel, index=True):
                high_at: datetime.datetime

                class Meta:
                    global_key_prefix = "station"
                    model_key_prefix = "tide"
        """)
        monkeypatch.setenv("REDSTART_MODELS", f"redstart.demo.models,{added}")
        data = run_om("migrate-data", "status", "--json").json
        assert (data["applied"], len(data["pending"]), data["phase"]) == ([], 1, "pending")
        assert "Phase: converted" not in run_om("migrate-data", "status").stdout


class TestProgress:
    def test_none(self, station: redis.Redis) -> None:
        assert "no progress is saved" in run_om("migrate-data", "progress").stdout
        assert run_om("migrate-data", "progress", "--json").json["state"] == "none"

    def test_after_a_stop(self, station: redis.Redis) -> None:
        assert run_om("migrate-data", "run", "--limit-documents", "10", "--batch-size", "5").code == 5
        found = run_om("migrate-data", "progress")
        assert "interrupted" in found.stdout
        assert "Resume with: om migrate-data run" in found.stdout
        data = run_om("migrate-data", "progress", "--json").json
        assert data["state"] == "interrupted"
        assert 0 < data["done"] < data["total"] == DOCUMENTS

    def test_verbose_shows_the_counters(self, station: redis.Redis) -> None:
        run_om("migrate-data", "run", "--limit-documents", "10")
        assert "generation" not in run_om("migrate-data", "progress").stdout
        assert "generation" in run_om("migrate-data", "progress", "-v").stdout


def test_looking_writes_nothing(station: redis.Redis) -> None:
    before = snapshot(station)
    for words in ("stats", "stats --exact", "status --detailed", "progress", "errors", "verify --check-data"):
        run_om("migrate-data", *words.split())
    assert difference(before, snapshot(station)) == []


def test_the_age_of_the_last_save_is_unknown_until_there_is_one(
    configured: str, own_server: Callable[..., EmbeddedServer]
) -> None:
    def saved_ago() -> object:
        return run_om("--url", server.url, "migrate-data", "stats", "--json").json["server"][
            "last_save_seconds"
        ]

    server = own_server()
    assert saved_ago() is None
    assert "none since the server started" in run_om("--url", server.url, "migrate-data", "stats").stdout
    with redis.Redis.from_url(server.url) as client:
        client.save()
    assert isinstance(saved_ago(), int)
