"""The source of new migration files in the format of redis-om."""

from collections.abc import Mapping, Sequence
from typing import Final

from redstart.display import printable

_DATA: Final = '''\
"""{description}."""

from {package} import BaseMigration


class {name}(BaseMigration):
    migration_id = "{migration_id}"
    description = "{description}"
    dependencies = []  # ids of migrations that have to be applied first

    {function} can_run(self) -> bool:
        """Return whether the migration can be applied now."""
        return True

    {function} up(self) -> None:
        """Apply the migration, with `self.redis` or with models."""
        raise RuntimeError("up() of {migration_id} is not written yet")

    {function} down(self) -> None:
        """Undo the migration. Without this method it cannot be rolled back."""
        raise NotImplementedError
'''

_SCHEMA: Final = '''\
"""{description}."""

import hashlib

from redis.exceptions import ResponseError

from {package}.model.migrations.schema import BaseSchemaMigration
from {package}.model.migrations.schema.legacy_migrator import schema_hash_key, schema_text_key


class {name}(BaseSchemaMigration):
    migration_id = "{migration_id}"
    description = "{description}"
    operations = {operations}

    {function} up(self) -> None:
        """Replace each index by the new one. Queries find nothing until it is complete."""
        for operation in self.operations:
            {call}self._replace(operation["index_name"], operation["new_schema"])

    {function} down(self) -> None:
        """Replace each index by the previous one."""
        for operation in reversed(self.operations):
            {call}self._replace(operation["index_name"], operation["previous_schema"])

    {function} _replace(self, index_name: str, schema: str) -> None:
        try:
            {call}self.redis.execute_command("FT.DROPINDEX", index_name)
        except ResponseError:
            pass  # there is no such index
        if schema:
            {call}self.redis.execute_command("FT.CREATE", index_name, *schema.split())
            {call}self.redis.set(schema_hash_key(index_name), hashlib.sha1(schema.encode()).hexdigest())
            {call}self.redis.set(schema_text_key(index_name), schema)
'''


def data_file(migration_id: str, *, is_async: bool) -> str:
    """Return the source of a data migration, to be completed by its author."""
    return _DATA.format(**_words(migration_id, is_async=is_async))


def schema_file(migration_id: str, operations: Sequence[Mapping[str, str]], *, is_async: bool) -> str:
    """Return the source of a schema migration.

    Args:
        operations: for each index its `index_name`, `model_name`, `new_schema` and `previous_schema`.
    """
    items = "".join(
        "        {\n"
        + "".join(f"            {name!r}: {value!r},\n" for name, value in one.items())
        + "        },\n"
        for one in operations
    )
    return _SCHEMA.format(operations=f"[\n{items}    ]", **_words(migration_id, is_async=is_async))


def _words(migration_id: str, *, is_async: bool) -> dict[str, str]:
    words = migration_id.split("_")[2:]  # after date and time
    return {
        "migration_id": migration_id,
        "description": printable(" ".join(words).capitalize()),
        "name": "".join(word.title() for word in words) + "Migration"
        if words and words[0][:1].isalpha()
        else "Migration",
        "package": "redstart.aio" if is_async else "redstart",
        "function": "async def" if is_async else "def",
        "call": "await " if is_async else "",
    }
