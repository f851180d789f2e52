"""An index that is replaced between a query and a change: what lacks a field gives a negation every document."""

import time
from collections.abc import Iterator

import pytest
import redis

from redstart import Field, HashModel, Migrator
from redstart.errors import IndexOutdatedError
from tests.support.models import registry_of_its_own


@pytest.fixture(autouse=True)
def no_other_models() -> Iterator[None]:
    """Those of other tests are many, and each of them would get its index."""
    with registry_of_its_own():
        yield


def test_a_change_looks_at_the_index_again(client: redis.Redis) -> None:
    class Parcel(HashModel, index=True):
        weight: int = Field(index=True)
        town: str = Field(index=True)

        class Meta:
            database = client
            global_key_prefix = "replaced"
            model_key_prefix = "parcel"

    Migrator(conn=client).run()
    parcels = [Parcel(weight=1, town="Oslo").save() for _ in range(3)]
    light = Parcel.find(~(Parcel.weight == 1))
    assert light.count() == 0

    other = ("ON", "HASH", "PREFIX", 1, "replaced:parcel:", "SCHEMA", "town", "TAG")
    client.execute_command("FT.CREATE", "replaced:other", *other)
    while client.ft("replaced:other").search("*").total < len(parcels):
        time.sleep(0.01)
    client.execute_command("FT.ALIASUPDATE", Parcel._meta.index_name, "replaced:other")
    for change in (light.delete, lambda: light.update(town="Bergen")):
        with pytest.raises(IndexOutdatedError):
            change()
    assert [one.town for one in Parcel.get_many([one.pk for one in parcels])] == ["Oslo"] * 3
