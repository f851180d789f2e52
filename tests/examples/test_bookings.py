"""The FastAPI example with FastAPI's own test client."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient

from bookings.app import app
from bookings.models import Booking, Guest
from redstart.mapping.base_model import register
from tests.support.cli import run_om
from tests.support.models import create_indexes, registry_of_its_own
from tests.support.processes import wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app"


@pytest.fixture
def undeployed(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The service, started on an empty server. Errors that it does not answer fail the test."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    with TestClient(app) as service:
        yield service


@pytest.fixture
def service(undeployed: TestClient, client: redis.Redis) -> TestClient:
    """The service with its index."""
    create_indexes(client, Booking)
    return undeployed


def a_booking(**changes: Any) -> dict[str, Any]:
    return {
        "room": "blue",
        "starts_at": "2026-05-01T14:00:00+02:00",
        "ends_at": "2026-05-03T10:00:00+02:00",
        "guest": {"name": "Ann"},
    } | changes


def test_a_booking_from_its_beginning_to_its_end(service: TestClient, client: redis.Redis) -> None:
    created = service.post("/bookings", json=a_booking())
    assert created.status_code == 201
    pk = created.json()["pk"]
    in_utc = {"starts_at": "2026-05-01T12:00:00Z", "ends_at": "2026-05-03T08:00:00Z"}
    whole = a_booking(**in_utc, pk=pk, guest={"name": "Ann", "phone": None}, note="")
    assert service.get(f"/bookings/{pk}").json() == whole
    stored = client.execute_command("JSON.GET", f"guesthouse:booking:{pk}")
    assert json.loads(stored)["starts_at"] == 1777636800.0

    changed = service.patch(f"/bookings/{pk}", json={"note": "late", "guest": {"name": "Bob"}})
    whole |= {"note": "late", "guest": {"name": "Bob", "phone": None}}
    assert (changed.status_code, changed.json()) == (200, whole)
    assert service.get("/bookings").json() == {"items": [whole], "total": 1}

    assert service.delete(f"/bookings/{pk}").status_code == 204
    assert list(client.scan_iter("guesthouse:booking:*")) == []
    for gone in (service.get, service.delete, lambda path: service.patch(path, json={"note": "x"})):
        assert gone(f"/bookings/{pk}").status_code == 404


def test_dates_stay_text_in_json() -> None:
    start, end = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 3, 8, tzinfo=UTC)
    booking = Booking(pk="x", room="blue", starts_at=start, ends_at=end, guest=Guest(name="Ann"))
    assert '"starts_at":"2026-05-01T12:00:00Z"' in booking.model_dump_json()
    assert Booking.model_validate_json(booking.model_dump_json()) == booking


def test_a_key_that_the_caller_chose_overwrites_nothing(service: TestClient) -> None:
    assert service.post("/bookings", json=a_booking(pk="mine")).json()["pk"] == "mine"
    assert service.post("/bookings", json=a_booking(pk="mine", room="red")).status_code == 409
    assert service.get("/bookings/mine").json()["room"] == "blue"
    made = {service.post("/bookings", json=a_booking(pk=pk)).json()["pk"] for pk in ("", None)}
    assert len(made) == 2
    assert all(len(pk) == 26 for pk in made)


def test_pages_neither_overlap_nor_skip(service: TestClient) -> None:
    """Though all start at the same time."""
    made = [service.post("/bookings", json=a_booking()).json()["pk"] for _ in range(12)]
    pages = [service.get("/bookings", params={"offset": offset, "limit": 5}).json() for offset in (0, 5, 10)]
    assert [page["total"] for page in pages] == [12] * 3
    assert [one["pk"] for page in pages for one in page["items"]] == sorted(made)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["1", "2", "3"]),
        ({"room": "blue"}, ["1", "3"]),
        ({"since": "2026-05-02T00:00:00Z"}, ["1", "2", "3"]),
        ({"since": "2026-05-03T10:00:00+02:00"}, ["2", "3"]),
        ({"until": "2026-05-05T00:00:00Z"}, ["1", "2"]),
        ({"until": "2026-05-01T14:00:00+02:00"}, []),
        ({"since": "2026-05-03T12:00:00Z", "until": "2026-05-04T00:00:00Z", "room": "red"}, ["2"]),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00"}, ["1", "2", "3"]),
    ],
)
def test_what_is_asked_for_is_found(service: TestClient, asked: dict[str, str], found: list[str]) -> None:
    for pk, room, day in (("1", "blue", 1), ("2", "red", 3), ("3", "blue", 5)):
        times = {
            "starts_at": f"2026-05-0{day}T14:00:00+02:00",
            "ends_at": f"2026-05-0{day + 2}T10:00:00+02:00",
        }
        service.post("/bookings", json=a_booking(pk=pk, room=room, **times))
    page = service.get("/bookings", params=asked).json()
    assert ([one["pk"] for one in page["items"]], page["total"]) == (found, len(found))


@pytest.mark.parametrize(
    "changes",
    [
        {"room": None},
        {"room": ""},
        {"room": "a|b"},
        {"starts_at": "2026-05-01T14:00:00"},
        {"starts_at": "tomorrow"},
        {"starts_at": "2027-01-01T00:00:00Z"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},
        {"guest": {}},
        {"guest": {"name": ""}},
        {"note": "half a character: \ud800"},
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    service: TestClient, client: redis.Redis, changes: dict[str, Any]
) -> None:
    json_type = {"content-type": "application/json"}
    refused = service.post("/bookings", content=json.dumps(a_booking(**changes)), headers=json_type)
    assert (refused.status_code, list(client.scan_iter("guesthouse:booking:*"))) == (422, [])
    service.post("/bookings", json=a_booking(pk="here"))
    before = service.get("/bookings/here").json()
    refused = service.patch("/bookings/here", content=json.dumps(changes), headers=json_type)
    assert (refused.status_code, service.get("/bookings/here").json()) == (422, before)
    assert refused.json()["detail"][0]["msg"]


@pytest.mark.parametrize(
    "asked",
    [
        *[{"room": room} for room in ("", " ", "|", "} | @room:{*", "\0", "*", "blue\n")],
        *[
            {"offset": "-1"},
            {"offset": "99999999999999999999"},
            {"limit": "0"},
            {"limit": "101"},
            {"since": "today"},
        ],
    ],
)
def test_what_cannot_be_asked_for_is_refused(service: TestClient, asked: dict[str, str]) -> None:
    assert service.get("/bookings", params=asked).status_code == 422


def test_openapi_says_what_goes_in_and_what_comes_out(service: TestClient) -> None:
    schemas = service.get("/openapi.json").json()["components"]["schemas"]
    going_in, coming_out = schemas["Booking-Input"], schemas["Booking-Output"]
    fields = ["pk", "room", "starts_at", "ends_at", "guest", "note"]
    assert list(going_in["properties"]) == list(coming_out["properties"]) == fields
    assert going_in["required"] == ["room", "starts_at", "ends_at", "guest"]
    assert coming_out["required"] == ["pk", "room", "starts_at", "ends_at", "guest"]
    assert going_in["properties"]["pk"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert coming_out["properties"]["pk"] == {"type": "string", "title": "Pk"}
    for schema in (going_in, coming_out):
        assert schema["properties"]["starts_at"]["format"] == "date-time"
        assert schema["properties"]["guest"] == {"$ref": "#/components/schemas/Guest"}
    assert list(schemas["Guest"]["properties"]) == ["name", "phone"]


def test_the_index_is_made_by_a_deployment_and_by_nothing_else(
    undeployed: TestClient,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert undeployed.post("/bookings", json=a_booking(pk="1")).status_code == 201
    assert client.execute_command("FT._LIST") == []
    refused = undeployed.get("/bookings")
    assert (refused.status_code, refused.json()) == (503, {"detail": "The service is not ready."})
    assert "om migrate run" in caplog.text
    monkeypatch.chdir(EXAMPLE)
    with registry_of_its_own():
        register(Booking)
        assert run_om("migrate", "run", "--yes").code == 0
    assert [one["pk"] for one in undeployed.get("/bookings").json()["items"]] == ["1"]


def test_a_stored_document_that_cannot_be_read(
    service: TestClient, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    service.post("/bookings", json=a_booking(pk="1"))
    client.execute_command("JSON.SET", "guesthouse:booking:1", "$.room", '"secret room"')
    for answered in (service.get("/bookings/1"), service.get("/bookings")):
        assert (answered.status_code, answered.json()) == (
            500,
            {"detail": "A stored booking cannot be read."},
        )
    assert "guesthouse:booking:1" in caplog.text


def test_no_database(undeployed: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_OM_URL", "redis://127.0.0.1:1")
    assert undeployed.get("/bookings/1").status_code == 503
    assert undeployed.post("/bookings", json=a_booking()).status_code == 503


def test_a_service_that_starts_again_in_the_same_process(service: TestClient, client: redis.Redis) -> None:
    """As the next test of a suite: in another event loop. The end of the first gives its connections back."""
    service.post("/bookings", json=a_booking(pk="1"))
    before = {one["id"] for one in client.client_list()}
    for _ in range(3):
        with TestClient(app) as another:
            assert another.get("/bookings/1").status_code == 200
    wait_until(lambda: {one["id"] for one in client.client_list()} <= before, "the connections to be gone")
