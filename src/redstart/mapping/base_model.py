"""Attributes of all model classes: settings, storage, and the primary key field.

Indexes and fields of queries depend on this class, and `mapping/models.py` depends on these.
"""

import abc
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from redstart.mapping.meta import ModelMeta
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.values.types import Storage


class MappedModel(BaseModel):
    """The base of RedisModel, and of nothing else."""

    _meta: ClassVar[ModelMeta] = ModelMeta()
    _primary_key_name: ClassVar[str] = DEFAULT_NAME
    _storage: ClassVar[Storage | None] = None
    _is_part: ClassVar[bool] = False
    """True for an EmbeddedJsonModel. Other models can have `Meta.embedded`, too: their keys are indexed."""

    @classmethod
    def _has_documents(cls) -> bool:
        """Return whether documents of this very class are stored under keys of their own."""
        return cls._storage is not None and abc.ABC not in cls.__bases__ and not cls._meta.embedded

    if TYPE_CHECKING:  # they are made with what stands above this module

        def key(self) -> str: ...
        @classmethod
        def db(cls) -> Any: ...
        @classmethod
        def make_key(cls, part: str) -> str: ...
        @classmethod
        def make_primary_key(cls, pk: Any) -> str: ...
