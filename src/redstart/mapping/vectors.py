"""The options of vector fields: how they are indexed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redstart.search.fields import VectorSettings
from redstart.search.immutable import immutable


@immutable
@dataclass(frozen=True, slots=True)
class VectorFieldOptions:
    """Options of a vector field. Make one with `flat()` or `hnsw()`.

    Source: https://redis.io/docs/latest/develop/ai/search-and-query/vectors/
    """

    class ALGORITHM(StrEnum):
        """Exact search, or an approximate graph."""

        FLAT = "FLAT"
        HNSW = "HNSW"

    class TYPE(StrEnum):
        """The type of one component of the vector."""

        FLOAT32 = "FLOAT32"
        FLOAT64 = "FLOAT64"

    class DISTANCE_METRIC(StrEnum):
        """Euclidean distance, inner product, or cosine."""

        L2 = "L2"
        IP = "IP"
        COSINE = "COSINE"

    algorithm: ALGORITHM
    type: TYPE
    dimension: int
    distance_metric: DISTANCE_METRIC
    initial_cap: int | None = None
    block_size: int | None = None
    m: int | None = None
    ef_construction: int | None = None
    ef_runtime: int | None = None
    epsilon: float | None = None

    @classmethod
    def flat(
        cls,
        type: TYPE,  # noqa: A002 - the reference's keyword
        dimension: int,
        distance_metric: DISTANCE_METRIC,
        initial_cap: int | None = None,
        block_size: int | None = None,
    ) -> "VectorFieldOptions":
        """An exact index."""
        return cls(
            cls.ALGORITHM.FLAT,
            type,
            dimension,
            distance_metric,
            initial_cap=initial_cap,
            block_size=block_size,
        )

    @classmethod
    def hnsw(
        cls,
        type: TYPE,  # noqa: A002 - the reference's keyword
        dimension: int,
        distance_metric: DISTANCE_METRIC,
        initial_cap: int | None = None,
        m: int | None = None,
        ef_construction: int | None = None,
        ef_runtime: int | None = None,
        epsilon: float | None = None,
    ) -> "VectorFieldOptions":
        """An approximate index."""
        return cls(
            cls.ALGORITHM.HNSW,
            type,
            dimension,
            distance_metric,
            initial_cap=initial_cap,
            m=m,
            ef_construction=ef_construction,
            ef_runtime=ef_runtime,
            epsilon=epsilon,
        )

    def settings(self) -> VectorSettings:
        """The same as an index has it, in the order redis-om writes it."""
        attributes: list[tuple[str, Any]] = [
            ("TYPE", self.type.value),
            ("DIM", self.dimension),
            ("DISTANCE_METRIC", self.distance_metric.value),
            ("INITIAL_CAP", self.initial_cap),
            ("BLOCK_SIZE", self.block_size),
            ("M", self.m),
            ("EF_CONSTRUCTION", self.ef_construction),
            ("EF_RUNTIME", self.ef_runtime),
            ("EPSILON", self.epsilon),
        ]
        given = tuple((name, str(value)) for name, value in attributes if value is not None)
        return VectorSettings(self.algorithm.value, given)

    @property
    def schema(self) -> str:
        """What it adds to the text of an index: `VECTOR FLAT 6 TYPE FLOAT32 ...`."""
        return " ".join(("VECTOR", *self.settings().words()))
