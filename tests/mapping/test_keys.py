import pytest
from hypothesis import given
from hypothesis import strategies as st

from redstart.errors import RedisModelError
from redstart.mapping.keys import around_primary_key, prefix_of
from redstart.mapping.meta import ModelMeta


@pytest.mark.parametrize(
    ("global_prefix", "model_prefix", "expected"),
    [
        ("shop", "order", "shop:order:1"),
        ("shop:", ":order:", "shop:order:1"),
        ("::shop::", "order", "shop:order:1"),
        ("", "order", ":order:1"),
        (":", "order", ":order:1"),
        ("a:b", "c:d", "a:b:c:d:1"),
        ("", "", "::1"),
    ],
)
def test_prefixes_are_stripped_of_colons(global_prefix, model_prefix, expected):
    assert prefix_of(global_prefix, model_prefix) + "1" == expected


@pytest.mark.parametrize(
    ("pattern", "around"),
    [
        ("{pk}", ("g:m:", "")),
        ("v1:{pk}", ("g:m:v1:", "")),
        ("{pk}:v1", ("g:m:", ":v1")),
        ("{{{pk}}}", ("g:m:{", "}")),
        ("{{tag}}:{pk}", ("g:m:{tag}:", "")),
    ],
)
def test_what_stands_around_the_primary_key(pattern, around):
    assert around_primary_key(ModelMeta("g", "m", pattern), "M") == around


@pytest.mark.parametrize(
    "pattern", ["", "fixed", "{pk}{pk}", "{}", "{id}", "{pk!r}", "{pk:>9}", "{pk", "pk}", "{pk.x}"]
)
def test_a_pattern_that_hides_the_primary_key_is_refused(pattern):
    with pytest.raises(RedisModelError, match="primary_key_pattern"):
        around_primary_key(ModelMeta("g", "m", pattern), "app.M")


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_the_parts_around_the_primary_key_make_its_key(global_prefix, model_prefix, before, after, pk):
    def literal(text: str) -> str:
        return text.replace("{", "{{").replace("}", "}}")

    meta = ModelMeta(global_prefix, model_prefix, f"{literal(before)}{{pk}}{literal(after)}")
    key_prefix, key_suffix = around_primary_key(meta, "M")
    key = prefix_of(global_prefix, model_prefix) + meta.primary_key_pattern.format(pk=pk)
    assert key == key_prefix + pk + key_suffix
