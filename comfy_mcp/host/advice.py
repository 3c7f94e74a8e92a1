"""What to try, for the errors that people meet: one table for refusals and for failures alike.

A row is found by the error's kind (ComfyUI's type of a refusal, or the class of an exception), or
by words of its message. The first row that fits counts, so the narrow ones stand first. What is in
no row gets no advice: a wrong one is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from comfy_mcp.host.cleaning import clean

__all__ = ["ADVICE", "Advice", "advise", "clean"]


@dataclass(frozen=True, slots=True)
class Advice:
    """*text* is what to try about errors of *kinds*, and those whose message matches *words*."""

    text: str
    kinds: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None

    def fits(self, kind: str, message: str) -> bool:
        """Whether an error is one of these."""
        name = kind.rpartition(".")[2]
        if kind in self.kinds or name in self.kinds:
            return True
        return self.words is not None and self.words.search(f"{kind}: {message}") is not None


def advise(kind: str, message: str) -> str | None:
    """What to try about an error, if it is a known one."""
    return next((row.text for row in ADVICE if row.fits(kind, message)), None)


def _of(text: str, kinds: Iterable[str] = (), words: str = "") -> Advice:
    pattern = re.compile(words, re.IGNORECASE) if words else None
    return Advice(text, frozenset(kinds), pattern)


_REFUSALS = (
    _of(
        "This ComfyUI has nothing to choose from here: the model's file has to be put into its"
        " models folder first.",
        words=r"^value_not_in_list.*\bnot in \[\]|^value_not_in_list.*\bhas none\b",
    ),
    _of("Choose one of the values that this ComfyUI has.", ["value_not_in_list"]),
    _of(
        "Give every node a class_type: the workflow must be in API format.",
        words=r"^(?:invalid_prompt|missing_node_type): .*class_type",
    ),
    _of(
        "This ComfyUI does not have that node: install its pack or use another, and look at the"
        " spelling.",
        ["missing_node_type"],
        r"^invalid_prompt: .*does not exist",
    ),
    _of(
        "ComfyUI names no node: look for links that go in a circle.",
        ["prompt_outputs_failed_validation"],
    ),
    _of("Add an output node such as SaveImage or PreviewImage.", ["prompt_no_outputs"]),
    _of(
        "Link an output of the wanted type, or put a node between that converts (VAEDecode makes an"
        " IMAGE of a LATENT, VAEEncode the reverse).",
        ["return_type_mismatch"],
    ),
    _of('Give it a value, or a link ["node id", slot].', ["required_input_missing"]),
    _of(
        'A list is a link: ["node id", slot]. Wrap a list that is a value: {"__value__": [...]}.',
        ["bad_linked_input"],
    ),
    _of("Send a value of that type.", ["invalid_input_type"]),
    _of(
        "Keep the value within the node's bounds.",
        ["value_smaller_than_min", "value_bigger_than_max"],
    ),
    _of(
        "Load a picture, video or sound that lies in ComfyUI's input folder, by the name that it"
        " has there.",
        words=r"invalid (?:image|video|audio|mask|model)?\s?file",
    ),
    _of("Break the circle: no node may depend on its own output.", ["dependency_cycle"]),
    _of(
        "Link to a node of this workflow, and to a slot that it has (the first is 0).",
        ["exception_during_validation", "exception_during_inner_validation"],
    ),
    _of("Look at what this node demands of the input.", ["custom_validation_failed"]),
)

_PARTNERS = (
    _of(
        "This is a paid partner node: ComfyUI must be logged in to comfy.org. Use another node, or"
        " tell the owner.",
        words=r"please login first|authentication (?:failed|required)"
        r"|api node.*log ?in",
    ),
    _of(
        "The comfy.org account has no credits left. Use a node that runs on this machine, or tell"
        " the owner.",
        ["PAYMENT_REQUIRED"],
        r"payment required|add credits|insufficient[ _](?:credits|funds|balance)",
    ),
    _of(
        "The partner's service limits how often it is asked: wait a minute, then run it again.",
        words=r"rate limit exceeded|too many requests",
    ),
    _of(
        "The partner's service was too slow: run it again later, or ask for less (shorter,"
        " smaller).",
        words=r"polling timed out|timed out.*(?:api|partner|server)|gateway time-?out",
    ),
    _of(
        "ComfyUI's machine cannot reach the partner's service: run it again later, or use a node"
        " that works without it.",
        ["LocalNetworkError", "ApiServerError"],
        r"api server.*unreachable|remote service appears unreachable|name resolution",
    ),
    _of(
        "The partner's service refused this request: change the prompt or the picture it was"
        " given.",
        words=r"content[_ ](?:policy|moderat)|moderation|nsfw|safety (?:system|filter)",
    ),
)

_RESOURCES = (
    _of(
        "Somebody stopped it. Run it again if that was not meant.",
        ["InterruptProcessingException", "ProcessingInterrupted"],
    ),
    _of(
        "The GPU or the machine ran out of memory: use a smaller width and height, batch or number"
        " of frames, or a smaller model.",
        ["OutOfMemoryError", "MemoryError"],
        r"out of memory|not enough memory|(?:can't|cannot|unable to) allocate|bad_alloc"
        r"|alloc_failed|mps backend",
    ),
    _of(
        "The disk of ComfyUI's machine is full: its owner has to make room.",
        words=r"no space left on device|disk quota exceeded|not enough space on the disk"
        r"|errno 28\b",
    ),
    _of(
        "The GPU or its driver failed. Run it once more; if it fails again, ComfyUI has to be"
        " restarted by its owner.",
        ["AcceleratorError"],
        r"cuda error|hip error|cudnn|cublas|device-side assert|illegal memory access"
        r"|no kernel image",
    ),
)

_NODES = (
    _of(
        "A Python module of this node's pack is missing or broken on ComfyUI's machine: its owner"
        " has to install it. Use another node meanwhile.",
        ["ModuleNotFoundError", "ImportError"],
        r"no module named|dll load failed|cannot import name",
    ),
    _of(
        "This node fetches a file from the internet and could not: its owner has to put the file in"
        " place. Use another node or model meanwhile.",
        ["LocalEntryNotFoundError", "GatedRepoError", "RepositoryNotFoundError"],
        r"huggingface\.co|max retries exceeded|couldn't connect to",
    ),
    _of(
        "Use a filename_prefix without '..' and without a leading slash.",
        words=r"outside the output folder",
    ),
    _of(
        "The pattern is not a valid regular expression: escape ( ) [ ] { } . * + ? with a"
        " backslash.",
        ["re.error", "re.PatternError", "PatternError"],
        r"^error: (?:missing|unterminated|nothing to repeat|unbalanced|bad escape)",
    ),
    _of(
        "That file is not a picture that can be read: save it again as PNG, or use another.",
        ["UnidentifiedImageError"],
        r"cannot identify image file|image file is truncated|broken png",
    ),
    _of(
        "The model's file is damaged or was not downloaded to its end: its owner has to fetch it"
        " anew. Use another model meanwhile.",
        ["SafetensorError", "UnpicklingError", "EOFError"],
        r"safetensors header|headertoolarge|incomplete ?metadata|metadataincompletebuffer"
        r"|pytorchstreamreader|corrupted model|invalid load key|unexpected eof",
    ),
    _of(
        "The loader gave nothing: that file has no such part (checkpoints may lack CLIP or VAE)."
        " Load it with a node of its own (CLIPLoader, VAELoader).",
        words=r"(?:clip input|vae) is invalid: none|does not contain a valid (?:vae|clip)",
    ),
    _of(
        "ComfyUI does not know this kind of model, or the file is for another loader: use the"
        " loader made for it.",
        words=r"could not detect model type|file is invalid and does not contain"
        r"|unknown (?:model|architecture)|invalid style model",
    ),
    _of(
        "The models do not fit together: use a checkpoint, CLIP, VAE, LoRA and ControlNet of one"
        " family (all SD 1.5, all SDXL, all Flux ...).",
        words=r"size mismatch|shapes? cannot be multiplied|expected .{1,80} channels"
        r"|weight of size|missing key\(s\) in state_dict|error\(s\) in loading state_dict"
        r"|y is none|needs a vae but none",
    ),
    _of(
        "Pictures, masks or latents of different sizes meet in this node: bring them to one width,"
        " height and batch first. Latents of two model families never fit.",
        words=r"sizes? of tensors?.{0,80}must match|stack expects each tensor|shape mismatch"
        r"|could not be broadcast|size of tensor a",
    ),
    _of(
        "The model's numbers overflowed: use another VAE (one made for fp16) or a lower cfg.",
        words=r"all nans|nans? (?:was|were) (?:produced|detected|found)|contains? nans?",
    ),
    _of(
        "A file or model is missing on ComfyUI's machine: check its name.",
        ["FileNotFoundError"],
        r"no such file|file not found|model .{1,100} not found|cannot find the (?:file|path)",
    ),
    _of(
        "ComfyUI may not read or write there: its owner has to change the folder's rights.",
        ["PermissionError"],
        r"permission denied|read-only file system",
    ),
    _of(
        "This workflow was made for another version of the node: compare its inputs with those that"
        " the node has now.",
        words=r"unexpected keyword argument|missing \d+ required (?:positional|keyword)",
    ),
    _of(
        "An input is outside of what this node accepts: change it as the message says.",
        words=r"must be (?:at least|at most|between|greater|less|positive|a multiple|divisible)",
    ),
    _of(
        "It took too long: run it again, or ask for less (fewer frames, steps, a smaller size).",
        ["TimeoutError"],
        r"\btimed out\b",
    ),
)

ADVICE: tuple[Advice, ...] = (*_REFUSALS, *_RESOURCES, *_PARTNERS, *_NODES)
"""The whole table, in the order in which it is asked."""
