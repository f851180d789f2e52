"""Models that tests declare, some of them wrong, are gone afterwards: what asks for all models would meet them."""

from collections.abc import Iterator

import pytest

from redstart.mapping.base_model import model_registry


@pytest.fixture(autouse=True)
def models_of_before() -> Iterator[None]:
    """The registry is afterwards as it was."""
    known = dict(model_registry)
    yield
    model_registry.clear()
    model_registry.update(known)
