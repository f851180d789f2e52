"""Tests of applications: migration files, on plain dictionaries and on a server.

    from redstart.testing import MigrationTest

    def test_rename(redstart_url):
        migration = MigrationTest("20261101_090000_rename")
        assert migration.forward("Order", {"name": "oak"}) == {"title": "oak"}
        migration.check(redstart_url, {"shop:order:1": {"name": "oak"}})

The fixtures for pytest, such as `redstart_url`, are in redstart.pytest_plugin.
"""

from redstart.testing.migration_test import MigrationTest

__all__ = ["MigrationTest"]
