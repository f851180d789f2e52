import abc
from datetime import datetime

import pytest

from redstart.errors import RedisModelError
from redstart.mapping.model_info import declare
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel, RedisModel
from redstart.mapping.temporal_paths import temporal_paths
from redstart.values.types import Storage


class Event(HashModel):
    at: datetime

    class Meta:
        global_key_prefix = "g"
        primary_key_pattern = "v1:{pk}:end"


class Report(JsonModel):
    at: datetime

    class Meta:
        model_key_prefix = "report"


class Part(EmbeddedJsonModel):
    at: datetime


def test_a_hash_model():
    declaration = declare(Event)
    assert declaration.name == f"{__name__}.Event"
    assert (declaration.key_prefix, declaration.key_suffix) == (f"g:{__name__}.Event:v1:", ":end")
    assert declaration.storage is Storage.HASH
    assert declaration.paths == temporal_paths(Event)
    assert declaration.model is Event


def test_a_json_model():
    declaration = declare(Report)
    assert (declaration.key_prefix, declaration.key_suffix) == (":report:", "")
    assert declaration.storage is Storage.JSON


def test_keys_of_documents_start_and_end_as_declared():
    document = Event(at="2023-01-01")
    declaration = declare(Event)
    assert document.key() == declaration.key_prefix + document.pk + declaration.key_suffix


@pytest.mark.parametrize("model", [Part, RedisModel, HashModel, JsonModel])
def test_a_model_without_documents_is_refused(model):
    with pytest.raises(RedisModelError, match="has no documents of its own"):
        declare(model)


def test_an_abstract_model_is_refused():
    class Base(HashModel, abc.ABC):
        pass

    with pytest.raises(RedisModelError, match="has no documents of its own"):
        declare(Base)


def test_a_pattern_without_the_primary_key_is_refused():
    with pytest.raises(RedisModelError, match=r"Single: Meta.primary_key_pattern 'only' is invalid"):

        class Single(HashModel):
            class Meta:
                primary_key_pattern = "only"
