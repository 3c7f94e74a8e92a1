"""The shipped schema and the reader agree on what a policy file looks like."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.comparison import OPERATORS
from comfy_mcp.guard.fields import FIELDS
from comfy_mcp.guard.loading import parse
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.vocabulary import (
    APPROVAL,
    APPROVALS,
    CONDITION,
    DENIALS,
    FILE,
    GPU,
    GPU_SECONDS,
    GRANT,
    LIMIT,
    MATCH,
    PREDICATE,
    RATE,
    RULE,
    Keys,
)
from tests.guard.test_malformed import TABLE

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((files("comfy_mcp.guard") / "policy.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DEFS = SCHEMA["$defs"]


def shape(document: Any) -> bool:
    """The schema accepts it."""
    return VALIDATOR.is_valid(document)


def read(document: Any) -> bool:
    """The reader accepts it."""
    return not read_policy(json.dumps(document))[1]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("keys", "definition"),
    [
        (FILE, SCHEMA),
        (RULE, DEFS["toolRule"]),
        (PREDICATE, DEFS["predicate"]),
        (CONDITION, DEFS["condition"]),
        (LIMIT, DEFS["limit"]),
        (RATE, DEFS["rateLimit"]["oneOf"][1]),
        (APPROVAL, DEFS["approval"]["oneOf"][1]),
        (APPROVALS, SCHEMA["properties"]["approvals"]),
        (GPU, DEFS["gpu"]),
        (GPU_SECONDS, DEFS["gpu"]["properties"]["gpu_seconds"]["items"]),
        (GRANT, DEFS["grant"]),
        (MATCH, DEFS["grant"]["properties"]["match"]),
        (DENIALS, SCHEMA["properties"]["denials"]),
    ],
    ids=lambda value: "-".join(sorted(value.now))[:40] if isinstance(value, Keys) else "",
)
def test_the_schema_has_the_keys_that_this_version_supports(
    keys: Keys, definition: dict[str, Any]
) -> None:
    assert set(definition["properties"]) == keys.now
    assert definition["additionalProperties"] is False
    assert not keys.now & keys.later


def test_the_schema_has_every_operator() -> None:
    assert set(DEFS["condition"]["properties"]["op"]["enum"]) == set(OPERATORS)


@pytest.mark.parametrize("path", [f"{s}.{f}" for s, fields in FIELDS.items() for f in fields])
def test_the_schema_has_every_field(path: str) -> None:
    assert re.search(DEFS["path"]["pattern"], path)
    assert not re.search(DEFS["path"]["pattern"], f"{path}z")


def described(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key that can be written, with its description."""
    for key, member in node.get("properties", {}).items():
        inherited = DEFS.get(member.get("$ref", "").rpartition("/")[2], {})
        yield key, member.get("description", inherited.get("description", ""))
        yield from described(member)
        yield from described(member.get("items", {}))
    for variant in node.get("oneOf", ()):
        yield from described(variant)


def test_an_editor_can_say_something_about_every_key() -> None:
    found = [pair for node in (SCHEMA, *DEFS.values()) for pair in described(node)]
    assert len(found) > 80
    assert [key for key, text in found if not text] == []
    assert all(len(text) < 150 for _, text in found)


def corpus() -> list[Any]:
    """Everything that is accepted somewhere: published policies, the example, the documentation."""
    paths = [*(ROOT / "tests" / "fixtures" / "policies").iterdir(), ROOT / "policy.example.json"]
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [json.loads(text) for text in (*(p.read_text("utf-8") for p in sorted(paths)), *blocks)]


CORPUS = corpus()


@pytest.mark.parametrize("document", CORPUS, ids=range(len(CORPUS)))
def test_files_that_are_used_are_accepted_by_both(document: Any) -> None:
    VALIDATOR.validate(document)
    assert read(document)


REFUSED = [
    (where, document)
    for document, where, _, _ in TABLE
    if not isinstance(document, str) and not shape(document)
]
BEYOND = [
    (where, document)
    for document, where, _, _ in TABLE
    if not isinstance(document, str) and shape(document)
]


def test_what_the_schema_refuses_is_refused() -> None:
    assert len(REFUSED) > 180
    assert [where for where, document in REFUSED if read(document)] == []


def test_the_schema_lets_little_pass_that_is_refused() -> None:
    """What no schema can say: patterns, numbers that only look whole, what belongs together."""
    assert {where.rpartition("/")[2] for where, _ in BEYOND} == {
        *("value", "1", "op", "path"),  # what RE2 reads, what a field can be, a line break
        *("max_steps", "max_in_flight", "max", "rate_limit", "0"),  # 20.0, 1e-7, names
        *("expires_at", "bob", "output_prefix"),  # days, two of one name, two at odds
        "webhook",  # ports and addresses that cannot be
    }


# A file of the corpus with one thing changed.

NUMBERS = st.sampled_from([0, 1, -1, 2.5, 1.0, 1e-9, 10**13, 2_678_400, 2_678_401, 0.000001])
WORDS = st.sampled_from(
    (
        *("1", "allow", "deny", "approve", "grant", "server", "minute", "own", "*", "c.d", "a b"),
        *(
            "10/minute",
            "0/day",
            "graph.steps",
            "args.x[*]",
            "job.id",
            "eq",
            "exists",
            "in",
            "a/../b",
        ),
        *("{grant}/", "", "2030-01-01T00:00:00Z", "x" * 501, "failed", "regex", "glob", "a\n"),
        *(
            "operator",
            "https://h/x?y=z",
            "http://[::1]:80",
            "https://a@b",
            "https://h\n",
            "http://",
        ),
    )
)
KEYS = sorted(
    frozenset().union(
        *(
            keys.now | keys.later
            for keys in (FILE, RULE, LIMIT, GPU, GRANT, CONDITION, APPROVAL, APPROVALS)
        )
    )
)
SCALARS = st.one_of(NUMBERS, WORDS, st.sampled_from([None, True, False]))
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=2),
)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of *document* with each of its keys or indices."""
    members = document.items() if isinstance(document, dict) else enumerate(document)
    for key, member in list(members):
        yield document, key
        if isinstance(member, dict | list):
            yield from places(member)


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A file that is used, with one value replaced, removed or added."""
    document = json.loads(json.dumps(draw(st.sampled_from(CORPUS))))
    container, key = draw(st.sampled_from(list(places(document))))
    how = draw(st.sampled_from(["replace", "remove", "add"]))
    if how == "remove":
        del container[key]
    elif how == "add" and isinstance(container, dict):
        container[draw(st.sampled_from(KEYS))] = draw(VALUES)
    else:
        container[key] = draw(VALUES)
    return document


@given(changed())
@settings(max_examples=600)
def test_whatever_is_accepted_is_accepted_by_the_schema(document: Any) -> None:
    if read(document):
        VALIDATOR.validate(document)


@given(changed())
def test_whatever_is_accepted_is_judged_as_a_whole_or_refused(document: Any) -> None:
    with suppress(ConfigError):
        assert parse(json.dumps(document), "policy.json").policy.files
