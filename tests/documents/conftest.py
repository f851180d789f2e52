"""Models on the server of the tests."""

import pytest

from tests.support.registry import models_of_before

__all__ = ["models_of_before"]


@pytest.fixture
def models_url(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of all models that name none; it is empty."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    return url
