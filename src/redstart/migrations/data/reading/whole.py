"""Whole documents, as an application reads them, a page of bytes at a time."""

from collections.abc import Sequence
from typing import Any

from redstart.commands.packing import PAGE_BYTES
from redstart.commands.scripts import load, run_script
from redstart.effects import Op
from redstart.migrations.data.planned.documents import StoredDocument
from redstart.migrations.data.reading.read import PACKAGE


def read_whole(documents: Sequence[StoredDocument]) -> Op[list[Any]]:
    """What the first of some documents hold now, as many as fit into a page, 1 at least.

    Returns:
        For each the reply to HGETALL or JSON.GET; None if it is gone, or holds something else by now.

    Effects: one script that reads, or two round trips when the server has forgotten it.
    """
    words = [word for one in documents for word in (one.model.storage.value, one.key)]
    script = load(PACKAGE, "whole.lua")
    return list((yield from run_script(script, (), (PAGE_BYTES, *words))))
