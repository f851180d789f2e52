"""Models on the server of the tests."""

import pytest


@pytest.fixture
def models_url(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server of all models that name none; it is empty."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    return url
