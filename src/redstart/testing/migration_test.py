"""A migration file under test: on plain dictionaries, and on a server."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from redstart.devserver.process import EmbeddedServer
from redstart.display import printable
from redstart.effects import Op
from redstart.errors import ConfigurationError, MigrationError, MigrationFileError, MigrationStateError
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.declarations import DATA, SCHEMA
from redstart.migrations.files.ledger import Ledger
from redstart.migrations.files.project_history import ProjectFiles, SourceFiles
from redstart.migrations.files.redis_om_history import files_status
from redstart.migrations.operations.base import model_title
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.models import RenameModel
from redstart.migrations.operations.state import ModelState
from redstart.migrations.project_migrations import migration_in
from redstart.server.clients import decoding_client, open_async, open_sync
from redstart.settings import get_root_migrations_dir
from redstart.testing.plain_documents import as_read, document_of, plain, with_planned
from redstart.testing.server_check import CheckOptions, ServerCheck, empty_database, require_empty
from redstart.testing.snapshot import Entry, Snapshot

INTERRUPTIONS = 6


class MigrationTest:
    """A migration file under test.

    `forward` and `backward` are pure: they need no server. `check` and `check_async` use one, which has to be empty.
    Neither needs the models of the application: the file contains them.

    Args:
        migration_id: the id of the file, or the beginning of it; by default the last file.
        directory: of the files; by default that of `om`.

    Raises:
        ConfigurationError: the directory cannot be read.
        UnknownMigrationError: there is no such file.
        MigrationFileError: a file cannot be used, or does not fit the files before it.
        UnsupportedOperationError: this version does not run one of its operations.
    """

    def __init__(self, migration_id: str | None = None, directory: str | Path | None = None) -> None:
        root = Path(directory or get_root_migrations_dir())
        source = SourceFiles.load(root, (DATETIME_MIGRATION,))
        others = {
            kind.name: files_status(source.redis_om[kind.name], set(), source.built_in)
            for kind in (SCHEMA, DATA)
        }
        history = ProjectFiles(source.own, Ledger({}, {}), others, source.built_in).history
        history.require_runnable()
        if not history.files:
            raise MigrationFileError(
                f"There are no migration files in {history.where}.", "Give the directory as `directory`."
            )
        chosen = history.files[-1].migration_id
        if migration_id is not None:
            chosen = history.item(migration_id).migration_id
        self._migration = migration_in(history, chosen)

    @classmethod
    def of(cls, migration: FileMigration) -> Self:
        """Return the test of a migration that is in no file."""
        test = cls.__new__(cls)
        test._migration = migration
        return test

    @property
    def migration_id(self) -> str:
        """The id of the file."""
        return self._migration.file.migration_id

    @property
    def operations(self) -> list[str]:
        """One sentence for each operation, as `om migrate plan` shows it."""
        return [one.describe() for one in self._migration.file.operations]

    def forward(self, model: str, document: Mapping[str, Any], *, cleanup: bool = True) -> dict[str, Any]:
        """Return a document after the migration, as the new version of the application reads it.

        Args:
            model: the name of the model, such as `shop.models.Order`, or its last part, if only one model has it.
            document: the stored fields. Those of a hash are text, bytes or numbers, those of JSON what `json.dumps`
                accepts. It is not changed.
            cleanup: whether `om migrate cleanup` has run, which removes what only the old version needs. No effect on
                a file with a change that documents do not show, such as `price * 100`: its run removes it at once.

        Returns:
            The stored fields. Those of a hash are text, or bytes if they are not UTF-8.

        Raises:
            NotConvertibleError: a value cannot be changed. A run records it as failed, and leaves the document.
            MigrationStateError: there is no such model.
        """
        removes = cleanup or self._migration.moves_documents
        transformation = self._migration.transformation(removes=removes)
        return self._changed(model, document, transformation.changed_document)

    def backward(self, model: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document that the new version has written, after a rollback of the migration.

        A rollback restores all other documents from the undo log, without this function.

        Args:
            model: as for `forward`.
            document: as for `forward`.

        Raises:
            NotConvertibleError: a value cannot be changed back, or an operation has no inverse. A rollback leaves the
                document, and lists it.
            MigrationStateError: there is no such model.
        """
        transformation = self._migration.transformation()
        return self._changed(model, document, transformation.reverted_document)

    def check(
        self,
        documents: Mapping[str, Mapping[str, Any]],
        url: str | None = None,
        *,
        interruptions: int | None = INTERRUPTIONS,
        rollback: bool = True,
        allow_failures: bool = False,
    ) -> dict[str, dict[str, Any]]:
        """Run the migration on a server, clean up, roll back, and compare.

        The documents get an expiry, and the indexes of their models. The run, the cleanup and the rollback are each
        interrupted at some of their requests, as by a kill before or after it, or by a lost reply, and then repeated:
        the documents have to be the same as without an interruption. The rollback has to restore every byte and expiry.

        Args:
            documents: the stored fields by key, as in `forward`. A key belongs to the model with its prefix.
            url: of an empty server, such as the fixture `redstart_url`; by default a development server is started.
            interruptions: at how many requests of each step; None: at all of them, in each way.
            rollback: whether the migration is rolled back. False, if a function of RunPython has no inverse.
            allow_failures: whether values may stay that cannot be changed.

        Returns:
            The hashes and JSON documents after run and cleanup, by key. Keys of other types, which a function has
            written, are compared, but not returned.

        Raises:
            AssertionError: a step is not complete, or a comparison fails.
            ConfigurationError: the server is not empty, or a key belongs to no model.
            EmbeddedServerError: the development server cannot be started.
            MigrationError, ServerError: see `redstart.errors`.

        Effects: empties the server before and afterwards.
        """
        options = CheckOptions(interruptions, rollback, allow_failures)
        loaded = self._loaded(documents)
        with _server(url) as where, open_sync(where) as driver:
            return _plain_documents(driver.run(self._server_check(where, loaded, options)))

    async def check_async(
        self,
        documents: Mapping[str, Mapping[str, Any]],
        url: str | None = None,
        *,
        interruptions: int | None = INTERRUPTIONS,
        rollback: bool = True,
        allow_failures: bool = False,
    ) -> dict[str, dict[str, Any]]:
        """Run the migration on a server, from a coroutine; see `check`."""
        options = CheckOptions(interruptions, rollback, allow_failures)
        loaded = self._loaded(documents)
        with _server(url) as where:
            async with open_async(where) as driver:
                return _plain_documents(await driver.run(self._server_check(where, loaded, options)))

    def _changed(
        self, name: str, values: Mapping[str, Any], change: Callable[[StoredDocument], Document]
    ) -> dict[str, Any]:
        model = self._model(name)
        document = document_of(values, model.storage)
        found = [one.planned() for one in self._migration.models if one.model.name == model.name]
        if not found:
            return plain(document)
        stored = as_read(document, found[0], found[0].key_prefix)
        return plain(with_planned(document, found[0], change(stored)))

    def _model(self, name: str) -> ModelState:
        """Return a model before the migration, by a name before or after it. Raises MigrationStateError."""
        names = {one: one for one in self._migration.before.models}
        for operation in self._migration.file.operations:
            if isinstance(operation, RenameModel) and operation.old in names:
                names[operation.new] = names[operation.old]
        exact = {names[name]} if name in names else set()
        chosen = exact or {old for one, old in names.items() if model_title(one) == name}
        if len(chosen) != 1:
            count = (
                f"{len(chosen)} models before the migration have"
                if chosen
                else "No model before the migration has"
            )
            known = ", ".join(sorted(names)) or "none; a file creates its models without documents"
            raise MigrationStateError(f"{count} the name {name!r}.", f"Models: {known}.")
        return self._migration.before.models[chosen.pop()]

    def _loaded(self, documents: Mapping[str, Mapping[str, Any]]) -> dict[bytes, Document]:
        """Return the stored documents by key. Raises ConfigurationError."""
        models = sorted(self._migration.before.models.values(), key=lambda one: -len(one.key_prefix))
        loaded: dict[bytes, Document] = {}
        for key, values in documents.items():
            model = next((one for one in models if key.startswith(one.key_prefix)), None)
            if model is None:
                prefixes = ", ".join(one.key_prefix for one in models) or "none"
                raise ConfigurationError(
                    f"The key {printable(key)} belongs to no model before the migration.",
                    f"Key prefixes of models: {prefixes}",
                )
            loaded[key.encode()] = document_of(values, model.storage)
        return loaded

    def _server_check(
        self, url: str, documents: dict[bytes, Document], options: CheckOptions
    ) -> Op[Snapshot]:
        yield from require_empty()
        check = ServerCheck(self._migration, documents, lambda: decoding_client(url), options)
        try:
            return (yield from check.perform())
        except (AssertionError, MigrationError):
            yield from empty_database()
            raise


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    """Yield the URL of a server: the given one, or a development server that is started and stopped."""
    if url is not None:
        yield url
        return
    with EmbeddedServer() as started:
        yield started.url


def _plain_documents(documents: Snapshot) -> dict[str, dict[str, Any]]:
    """Return hashes and JSON documents as dictionaries. A function may have written keys of other types."""
    found = ((key, _stored(entry)) for key, entry in sorted(documents.items()))
    return {
        key.decode(errors="backslashreplace"): plain(document)
        for key, document in found
        if document is not None
    }


def _stored(entry: Entry) -> Document | None:
    if isinstance(entry.content, dict):
        return Document.of_hash(
            {name.decode(errors="backslashreplace"): raw for name, raw in entry.content.items()}
        )
    if entry.type == b"ReJSON-RL" and isinstance(entry.content, bytes):
        return Document.of_json(entry.content)
    return None
