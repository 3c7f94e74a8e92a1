"""The index that is kept."""

from __future__ import annotations

import asyncio

import pytest

from comfy_mcp.knowledge import Knowledge
from comfy_mcp.workflow.schema import read_schemas
from tests.knowledge.samples import NODES

pytestmark = pytest.mark.anyio


async def test_however_many_ask_it_is_built_once() -> None:
    knowledge, schemas = Knowledge(), read_schemas(NODES)

    found = await asyncio.gather(*(knowledge.index(schemas) for _ in range(5)))

    assert all(index is found[0] for index in found)
    assert set(found[0].by_name) == set(NODES)


async def test_other_classes_make_another_index() -> None:
    knowledge = Knowledge()

    one = await knowledge.index(read_schemas(NODES))
    two = await knowledge.index(read_schemas({"KSampler": NODES["KSampler"]}))

    assert one is not two
    assert list(two.by_name) == ["KSampler"]
