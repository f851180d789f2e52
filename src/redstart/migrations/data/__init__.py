"""The document engine of data migrations: plan, initial scan, conversion, undo log, verification and rollback."""
