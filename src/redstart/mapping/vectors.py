"""Index options of vector fields."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redstart.search.expressions import immutable
from redstart.search.schema import VectorSettings


@immutable
@dataclass(frozen=True, slots=True)
class VectorFieldOptions:
    """Index options of a vector field, created by `flat()` or `hnsw()`.

    Attributes:
        algorithm: exact search, or an approximate graph.
        type: the type of one component.
        dimension: the number of components.
        distance_metric: Euclidean distance, inner product, or cosine.
        initial_cap, block_size, m, ef_construction, ef_runtime, epsilon: as in FT.CREATE; None for the default of the
            server.

    Source: https://redis.io/docs/latest/develop/ai/search-and-query/vectors/
    """

    class ALGORITHM(StrEnum):
        """The algorithm: exact search (FLAT), or an approximate graph (HNSW)."""

        FLAT = "FLAT"
        HNSW = "HNSW"

    class TYPE(StrEnum):
        """The type of one component of a vector."""

        FLOAT32 = "FLOAT32"
        FLOAT64 = "FLOAT64"

    class DISTANCE_METRIC(StrEnum):  # noqa: N801 - the name in redis-om
        """The distance metric: Euclidean distance (L2), inner product (IP), or cosine."""

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
        """Return options of an index with exact search.

        Args:
            type: the type of one component.
            dimension: the number of components.
            distance_metric: how distances are computed.
            initial_cap: vectors to reserve memory for.
            block_size: vectors in one block of memory.
        """
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
        """Return options of an index with approximate search, in an HNSW graph.

        Args:
            type: the type of one component.
            dimension: the number of components.
            distance_metric: how distances are computed.
            initial_cap: vectors to reserve memory for.
            m: the maximum number of edges of a node in each layer.
            ef_construction: the number of candidates while the graph is built.
            ef_runtime: the number of candidates of a query.
            epsilon: the relative factor that extends a range query.
        """
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
        """Return the options in the order of redis-om's definitions."""
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
        """Return the part of the definition of an index: `VECTOR FLAT 6 TYPE FLOAT32 ...`."""
        return " ".join(("VECTOR", *self.settings().words()))
