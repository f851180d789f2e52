"""Models on the server of the tests."""

from collections.abc import Iterator

import pytest

from tests.documents.flavours import one_event_loop
from tests.support.registry import models_of_before

__all__ = ["models_of_before"]


@pytest.fixture(autouse=True)
def event_loop_of_the_steps() -> Iterator[None]:
    """One event loop for all asynchronous steps of a test."""
    with one_event_loop():
        yield


@pytest.fixture
def models_url(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of all models that name none; it is empty."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    return url
