"""Models of people, as JSON and as hashes, and how properties are tested on the server."""

from datetime import UTC, date, datetime

from hypothesis import HealthCheck, settings

from redstart import Coordinates, EmbeddedJsonModel, Field, HashModel, JsonModel

ON_SERVER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
START = datetime(2020, 1, 1, tzinfo=UTC)


class Place(EmbeddedJsonModel):
    city: str = Field(index=True)
    floor: int = Field(index=True)


class Person(JsonModel, index=True):
    name: str = Field(index=True, sortable=True, case_sensitive=True)
    age: int = Field(index=True, sortable=True)
    member: bool = Field(index=True)
    born: date = Field(index=True)
    seen_at: datetime | None = Field(default=None, index=True, sortable=True)
    place: Place
    note: str = ""


class Member(HashModel, index=True):
    name: str = Field(index=True, sortable=True, case_sensitive=True)
    age: int = Field(index=True, sortable=True)
    member: bool = Field(index=True)
    born: date = Field(index=True)
    seen_at: datetime | None = Field(default=None, index=True, sortable=True)
    home: Coordinates = Coordinates(0, 0)
    note: str = ""
