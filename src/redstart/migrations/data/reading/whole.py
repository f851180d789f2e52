"""Reading of whole documents, as an application reads them, with a limit of bytes per page."""

from collections.abc import Sequence
from typing import Any

from redstart.commands.resp import PAGE_BYTES
from redstart.commands.scripts import load, run_script
from redstart.effects import Op
from redstart.migrations.data.reader import PACKAGE
from redstart.values.types import Storage


def read_whole(documents: Sequence[tuple[Storage, bytes]]) -> Op[list[Any]]:
    """Return the current content of the first documents, as many as fit into a page, at least 1.

    Args:
        documents: the storage and the key of each.

    Returns:
        For each the reply to HGETALL or JSON.GET; None if it does not exist any more, or has another type.

    Effects: one read-only script; two round trips if the server does not have it in its cache.
    """
    words = [word for storage, key in documents for word in (storage.value, key)]
    script = load(PACKAGE, "whole.lua")
    return list((yield from run_script(script, (), (PAGE_BYTES, *words))))
