"""The operations of migration files, and what they are made of. TypedDict is the one that pydantic reads everywhere.

Migration files import from this module only:

    from redstart.operations import AddField, Field, Migration

    migration = Migration(
        dependencies=["20261101_090000_initial"],
        operations=[AddField("shop.models.Order", Field("priority", "int", default=0))],
    )
"""

from typing_extensions import TypedDict

from redstart.migrations.failure import FailureMode
from redstart.migrations.files.migration_file import Migration
from redstart.migrations.operations.base import Operation
from redstart.migrations.operations.conversion import ConvertField
from redstart.migrations.operations.field_state import FieldState as Field
from redstart.migrations.operations.fields import AddField, AlterField, RemoveField
from redstart.migrations.operations.functions import RunPython, Transform
from redstart.migrations.operations.legacy_values import ConvertLocalMidnights, EncodeBytes, RemoveEmbeddedKey
from redstart.migrations.operations.models import (
    AlterIndex,
    ChangeKeyPrefix,
    ChangeStorage,
    CreateModel,
    RemoveModel,
    RenameModel,
)
from redstart.migrations.operations.moved_fields import MoveField, RenameField
from redstart.migrations.operations.split_merge import MergeFields, SplitField
from redstart.migrations.operations.state import ModelState as Model
from redstart.search.schema import FieldKind, Index, IndexField, VectorSettings
from redstart.values.types import Storage

__all__ = [
    "AddField",
    "AlterField",
    "AlterIndex",
    "ChangeKeyPrefix",
    "ChangeStorage",
    "ConvertField",
    "ConvertLocalMidnights",
    "CreateModel",
    "EncodeBytes",
    "FailureMode",
    "Field",
    "FieldKind",
    "Index",
    "IndexField",
    "MergeFields",
    "Migration",
    "Model",
    "MoveField",
    "Operation",
    "RemoveEmbeddedKey",
    "RemoveField",
    "RemoveModel",
    "RenameField",
    "RenameModel",
    "RunPython",
    "SplitField",
    "Storage",
    "Transform",
    "TypedDict",
    "VectorSettings",
]
