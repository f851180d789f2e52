"""The data migration of dates: plan, initial scan, conversion, undo log, verification and rollback."""
