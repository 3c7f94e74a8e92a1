"""A chain of hashes in which no row can be changed, dropped, swapped or added unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from comfy_mcp.errors import StateError
from comfy_mcp.store.chain import GENESIS, Link, Walk, canonical, check, link, step

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
records = st.dictionaries(st.text(), values, max_size=3)


def chained(contents: list[tuple[int, dict[str, Any]]]) -> list[Link]:
    rows: list[Link] = []
    previous = GENESIS
    for seq, (at_ms, record) in enumerate(contents, start=1):
        text = canonical(record)
        rows.append(Link(seq, str(at_ms), previous, link(previous, seq, at_ms, text), text))
        previous = rows[-1].hash
    return rows


chains = st.lists(st.tuples(st.integers(0, 10**13), records), min_size=2, max_size=6).map(chained)


def walked(rows: list[Link]) -> Walk:
    return reduce(step, rows, Walk())


def test_the_hash_is_over_the_previous_one_and_the_canonical_json_of_the_row() -> None:
    content = json.dumps(
        {"seq": 7, "at_ms": 12, "record": {"b": [1], "a": "é"}},
        sort_keys=True,
        separators=(",", ":"),
    )
    expected = sha256(f"{GENESIS}\n{content}".encode()).hexdigest()

    assert link(GENESIS, 7, 12, canonical({"a": "é", "b": [1]})) == expected


@given(chains)
def test_an_untouched_chain_is_whole(rows: list[Link]) -> None:
    assert walked(rows) == Walk(rows=len(rows), hash=rows[-1].hash)


@given(chains, st.data())
def test_a_changed_row_is_found(rows: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(["at_ms", "previous", "hash", "record"]))
    text = data.draw(st.text())
    assume(text != getattr(rows[at], field))
    edited = [*rows[:at], replace(rows[at], **{field: text}), *rows[at + 1 :]]

    walk = walked(edited)
    assert (walk.rows, walk.done) == (at, True)
    assert f"row {at + 1} " in str(walk.fault)


@given(chains, st.data())
def test_a_row_resealed_after_an_edit_is_found_at_the_next(
    rows: list[Link], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows) - 2))
    row = rows[at]
    record = canonical({"forged": row.record})
    forged = replace(row, record=record, hash=link(row.previous, row.seq, row.at_ms, record))

    assert walked([*rows[:at], forged, *rows[at + 1 :]]).rows == at + 1


@given(chains, st.data())
def test_a_dropped_row_is_found(rows: list[Link], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 2))

    walk = walked([*rows[:at], *rows[at + 1 :]])
    assert walk.rows == at
    assert str(walk.fault).startswith(f"row {at + 1} is missing")


@given(chains, st.data())
def test_two_swapped_rows_are_found(rows: list[Link], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(rows) - 2))
    second = data.draw(st.integers(first + 1, len(rows) - 1))
    swapped = list(rows)
    swapped[first] = replace(rows[second], seq=first + 1)
    swapped[second] = replace(rows[first], seq=second + 1)

    assert walked(swapped).rows == first


@given(chains)
def test_a_row_that_stands_twice_is_found(rows: list[Link]) -> None:
    assert "does not belong" in str(walked([rows[0], *rows]).fault)


def test_bytes_that_are_no_text_are_a_fault_and_no_crash() -> None:
    (row,) = chained([(1, {})])
    broken = b"\xff\xfe".decode("utf-8", "surrogateescape")

    assert "was changed" in str(check(replace(row, record=broken), seq=1, previous=GENESIS))


@given(records)
def test_canonical_json_says_the_same_and_is_stable(record: dict[str, Any]) -> None:
    text = canonical(record)
    assert canonical(json.loads(text)) == text
    assert json.loads(text) == json.loads(json.dumps(record))
    assert text.isascii()


def test_frozen_mappings_are_written_as_objects() -> None:
    assert canonical(MappingProxyType({"b": MappingProxyType({}), "a": ()})) == '{"a":[],"b":{}}'


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), object(), {1}, {1: 1, "a": 2}])
def test_what_is_not_json_is_an_error(value: object) -> None:
    with pytest.raises(StateError, match="cannot be written as JSON"):
        canonical({"value": value})


def test_a_record_that_contains_itself_is_an_error() -> None:
    record: dict[str, Any] = {}
    record["me"] = record
    with pytest.raises(StateError, match="cannot be written as JSON"):
        canonical(record)
