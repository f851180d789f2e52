"""Whole documents, as an application reads them, a page of bytes at a time."""

from collections.abc import Sequence
from typing import Any

from redstart.commands.packing import PAGE_BYTES
from redstart.commands.scripts import load, run_script
from redstart.effects import Op
from redstart.migrations.data.reading.read import PACKAGE
from redstart.values.kinds import Storage


def read_whole(documents: Sequence[tuple[Storage, bytes]]) -> Op[list[Any]]:
    """Return what the first of some documents hold now, as many as fit into a page, 1 at least.

    Args:
        documents: the storage and the key of each.

    Returns:
        For each the reply to HGETALL or JSON.GET; None if it is gone, or holds something else by now.

    Effects: one script that reads, or two round trips when the server has forgotten it.
    """
    words = [word for storage, key in documents for word in (storage.value, key)]
    script = load(PACKAGE, "whole.lua")
    return list((yield from run_script(script, (), (PAGE_BYTES, *words))))
