"""Models that tests declare are gone afterwards."""

from tests.support.registry import models_of_before

__all__ = ["models_of_before"]
