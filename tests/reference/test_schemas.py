"""The schema text of many models, compared with what redis-om itself writes."""

import json
import re
import subprocess
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from redstart.errors import RedisModelError
from redstart.mapping.index_schema import reference_schema
from tests.reference.declared_models import Schemas, schemas
from tests.support.legacy_index import legacy_schema

SCRIPT = Path(__file__).with_name("declared_models.py")

REFUSED_BY_THE_SERVER = re.compile("(NUMERIC|GEO|TEXT|SORTABLE) CASESENSITIVE")
"""In texts that redis-om writes: the server creates no index from them, so their hash is not kept."""

COMPOUNDS_IN_HASHES = re.compile(r"hash, (.*\[(str|.*\.\.\.)\]|bare list)")
"""redis-om overlooks some of them; no such value can be stored."""


def written_by(python: str, version: str) -> Schemas:
    """What redis-om writes, for the models that it and the server accept."""
    done = subprocess.run([python, SCRIPT, version], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written: Schemas = json.loads(done.stdout)
    return {
        name: text
        for name, text in written.items()
        if text is not None
        and not REFUSED_BY_THE_SERVER.search(text)
        and (not COMPOUNDS_IN_HASHES.match(name) or "Optional[str]" in name)
    }


def compared(theirs: Schemas, version: str, schema_of: Callable[[Any], str]) -> int:
    """How many texts are the same. Fails with those that are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = schemas("redstart", version, schema_of, legacy_schema, RedisModelError)
    different = {name: (text, ours[name]) for name, text in theirs.items() if text != ours[name]}
    assert different == {}
    return len(theirs)


def test_texts_are_those_of_1x(python_with_1x: str) -> None:
    assert compared(written_by(python_with_1x, "1x"), "1x", reference_schema) > 700


def test_texts_are_those_of_0x(python_with_0x: str) -> None:
    # That process made no instance of these models.
    schema_of = partial(legacy_schema, before_first_instance=True)
    assert compared(written_by(python_with_0x, "0x"), "0x", schema_of) > 500
