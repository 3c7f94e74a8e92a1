"""The errors that people meet come with what to try, and unknown ones with nothing."""

from __future__ import annotations

import pytest

from comfy_mcp.host.advice import ADVICE, advise

FAILURES = [
    ("torch.OutOfMemoryError", "Allocation on device", "smaller width and height"),
    ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate", "out of memory"),
    ("RuntimeError", "CUDA error: out of memory", "smaller width and height"),
    ("RuntimeError", "DefaultCPUAllocator: can't allocate memory", "out of memory"),
    ("RuntimeError", "MPS backend out of memory (MPS allocated: 9 GB)", "out of memory"),
    ("MemoryError", "", "out of memory"),
    ("RuntimeError", "CUDA error: device-side assert triggered", "restarted"),
    ("OSError", "[Errno 28] No space left on device", "disk"),
    ("comfy.model_management.InterruptProcessingException", "", "stopped it"),
    ("Exception", "Unauthorized: Please login first to use this node.", "logged in"),
    ("Exception", "Payment Required: Please add credits to your account", "no credits"),
    ("Exception", "Rate Limit Exceeded: The server returned 429", "wait a minute"),
    ("Exception", "Polling timed out after 160 non-queued attempts", "too slow"),
    ("comfy_api_nodes.util.common_exceptions.LocalNetworkError", "Unable to connect", "reach"),
    ("Exception", "API Error: Request blocked by content_policy", "change the prompt"),
    ("ModuleNotFoundError", "No module named 'insightface'", "Python module"),
    ("ImportError", "DLL load failed while importing x", "Python module"),
    ("OSError", "We couldn't connect to 'https://huggingface.co' to load", "from the internet"),
    ("requests.HTTPError", "401 Client Error: Unauthorized: https://huggingface.co/x", "internet"),
    ("Exception", "Saving image outside the output folder is not allowed.", "'..'"),
    ("re.error", "missing ), unterminated subpattern at position 0", "regular expression"),
    ("re.PatternError", "nothing to repeat", "regular expression"),
    ("PIL.UnidentifiedImageError", "cannot identify image file", "not a picture"),
    ("safetensors_rust.SafetensorError", "Error while deserializing header", "damaged"),
    ("EOFError", "", "damaged"),
    ("RuntimeError", "PytorchStreamReader failed reading zip archive", "damaged"),
    ("RuntimeError", "ERROR: VAE is invalid: None", "VAELoader"),
    ("RuntimeError", "ERROR: Could not detect model type of: x.safetensors", "loader"),
    ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied (77x2048 and 768x320)", "family"),
    ("RuntimeError", "expected input[1, 16] to have 4 channels, but got 16 channels", "family"),
    ("RuntimeError", "Error(s) in loading state_dict for ControlNet: size mismatch", "family"),
    ("RuntimeError", "The size of tensor a (64) must match the size of tensor b", "one width"),
    ("RuntimeError", "Sizes of tensors must match except in dimension 1", "one width"),
    ("Exception", "A tensor with all NaNs was produced in VAE.", "another VAE"),
    ("FileNotFoundError", "x.safetensors", "check its name"),
    ("PermissionError", "[Errno 13] Permission denied: '…/output'", "rights"),
    ("TypeError", "encode() got an unexpected keyword argument 'scale'", "another version"),
    ("ValueError", "Image width must be at least 300px, got 64px", "as the message says"),
    ("TimeoutError", "", "too long"),
]

REFUSALS = [
    ("value_not_in_list", "Value not in list: 'v'; it has none", "models folder"),
    ("value_not_in_list", "Value not in list: 'v'. It may be: a, b", "Choose one"),
    ("missing_node_type", "Node 'Nope' not found.", "install its pack"),
    ("missing_node_type", "Node 'ID #1' has no class_type.", "API format"),
    ("invalid_prompt", "Cannot execute because node Nope does not exist.", "install its pack"),
    ("invalid_prompt", "a node is missing the class_type property", "API format"),
    ("prompt_no_outputs", "Prompt has no outputs", "SaveImage"),
    ("return_type_mismatch", "It wants IMAGE", "VAEDecode"),
    ("required_input_missing", "Required input is missing", "slot"),
    ("bad_linked_input", "This list is no link", "__value__"),
    ("invalid_input_type", "It wants INT, but got 'abc'", "of that type"),
    ("value_smaller_than_min", "Value 0 smaller than min of 1", "bounds"),
    ("value_bigger_than_max", "Value 9 bigger than max of 1", "bounds"),
    ("custom_validation_failed", "Invalid image file: nope.png", "input folder"),
    ("custom_validation_failed", "seed is odd", "demands"),
    ("exception_during_validation", "A link names node '99'", "Link to a node"),
    ("exception_during_inner_validation", "", "Link to a node"),
    ("dependency_cycle", "1 -> 2 -> 1", "circle"),
    ("prompt_outputs_failed_validation", "Prompt outputs failed validation", "circle"),
]


@pytest.mark.parametrize(("kind", "message", "advice"), [*FAILURES, *REFUSALS])
def test_known_errors_come_with_advice(kind: str, message: str, advice: str) -> None:
    told = advise(kind, message)

    assert told is not None
    assert advice in told


def test_every_advice_is_given_to_some_error() -> None:
    given = {advise(kind, message) for kind, message, _ in [*FAILURES, *REFUSALS]}

    assert {row.text for row in ADVICE} == given


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ValueError", "odd"),
        ("KeyError", "'model'"),
        ("ZeroDivisionError", "division by zero"),
        ("RuntimeError", "black image: NaN values were clamped"),
        ("unknown", ""),
    ],
)
def test_an_unknown_error_comes_without(kind: str, message: str) -> None:
    assert advise(kind, message) is None


def test_advice_is_short_and_ends_like_a_sentence() -> None:
    assert all(len(row.text) <= 200 and row.text.endswith((".", "...).")) for row in ADVICE)


def test_an_endless_message_is_looked_through_at_once() -> None:
    assert advise("Exception", "model size of tensors expected " * 5_000) is None
