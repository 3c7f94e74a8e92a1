"""What a workflow will ask of the machine: numbers, names, and what could not be determined.

All of it is about the graph that will be sent. A number is the largest that is known; where some
input could not be determined, `Facts.undetermined` says which, so that nobody takes the number for
the whole truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "FACTS",
    "Asked",
    "ClassInfo",
    "Facts",
    "JobFile",
    "Known",
    "Model",
    "Prefix",
    "Unknown",
]

FACTS = frozenset(
    (
        *("steps", "total_steps", "width", "height", "megapixels", "batch", "frames"),
        *("nodes", "bytes", "node_classes", "unknown_classes", "models", "output_prefixes"),
        *("api_nodes", "job_files"),
    )
)
"""Names of the facts, as `Facts.undetermined`, policies and messages use them."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """An input that decides a fact and that cannot be foreseen; *why* is a clause for people."""

    node_id: str
    class_type: str
    input_name: str
    why: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model file that a node loads, exactly as it is written there."""

    name: str
    node_id: str
    class_type: str
    input_name: str


@dataclass(frozen=True, slots=True)
class Prefix:
    """Where a node saves: the ``filename_prefix`` it will get, below ComfyUI's output folder."""

    value: str
    node_id: str
    class_type: str
    input_name: str


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file that a job made and that a node reads: *type* is output or temp.

    An annotation that is not exactly ComfyUI's own form has an empty *filename*: nobody owns that.
    """

    type: str
    subfolder: str
    filename: str
    node_id: str
    class_type: str
    input_name: str


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """What the host says of a node class (``GET /object_info/{class}``).

    *folders* maps inputs that name model files to the model folder they come from; *defaults* has
    the defaults of inputs that may be left out.
    """

    api_node: bool = False
    output_node: bool = False
    folders: Mapping[str, str] = field(default_factory=dict[str, str])
    defaults: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the host has to be asked before a graph can be measured: `Known` has the answers.

    *classes* are names of node classes, *pictures* what nodes load, as `Known.pictures` has it.
    """

    classes: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What the host was asked before measuring.

    *classes* has an entry for each class that was asked for and that the host answered about, None
    for a class the host does not have. *pictures* maps what a node loads (``x.png``,
    ``sub/x.png [output]``) to width and height in pixels, and, of an animation, how many pictures
    it has; None if it is no picture.
    """

    classes: Mapping[str, ClassInfo | None] = field(default_factory=dict[str, "ClassInfo | None"])
    pictures: Mapping[str, tuple[int, int] | tuple[int, int, int] | None] = field(
        default_factory=dict[str, "tuple[int, int] | tuple[int, int, int] | None"]
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What one graph asks for.

    *steps* is the largest number of sampling steps of one sampler, *total_steps* the sum over all
    samplers of steps x batch x how often each runs. Frames that a model samples together, as one
    clip, count as one; where each is a picture of its own (SVD, or frames that are encoded anew),
    they are the batch. *width* and *height* are the largest sides in pixels of anything made, so
    that a file that is only loaded does not count; *megapixels* is the largest picture (width x
    height / 1,000,000), *batch* the largest number of pictures or clips handled at once, *frames*
    the longest clip (1: only stills). *bytes* is the length of the canonical JSON.

    Every node counts, whether or not ComfyUI would run it, and no number goes beyond 10**15.

    *node_classes*, *unknown_classes* (no class of ComfyUI itself that is known here, so what it
    does is only read off its inputs' names) and *api_nodes* (partner nodes, which spend credits)
    map each class to the id of the first node that has it. *models* maps a model folder to what is
    loaded from it. *where* maps a number's name to the id of the node that made it so large.
    *undetermined* maps names of `FACTS` to what they could not be determined from.
    """

    nodes: int = 0
    bytes: int = 0
    steps: int = 0
    total_steps: int = 0
    width: int = 0
    height: int = 0
    megapixels: float = 0.0
    batch: int = 0
    frames: int = 0
    node_classes: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown_classes: Mapping[str, str] = field(default_factory=dict[str, str])
    api_nodes: Mapping[str, str] = field(default_factory=dict[str, str])
    models: Mapping[str, tuple[Model, ...]] = field(default_factory=dict[str, tuple[Model, ...]])
    output_prefixes: tuple[Prefix, ...] = ()
    job_files: tuple[JobFile, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    undetermined: Mapping[str, tuple[Unknown, ...]] = field(
        default_factory=dict[str, tuple[Unknown, ...]]
    )
