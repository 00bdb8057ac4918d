"""The only module that touches ComfyUI: folder_paths, comfy, comfy_execution, server.

Every import is lazy, and every function says what it does where there is no ComfyUI, so that the nodes
run in a plain Python too (tests, the demo).
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Setting = TypeVar("Setting", bool, str)
SETTINGS_FILE = "comfy.settings.json"
DEFAULT_USER = "default"
"""Whose settings count: the server does not tell a node which user queued it."""
FOLDER_VARIABLE = "GEN5_FOLDER"
"""Where input/, output/ and temp/ lie without ComfyUI; the current folder if it is not set."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What stands in for ComfyUI's ExecutionBlocker where there is none: an output that says why."""

    message: str


def is_present() -> bool:
    """Tell whether this process is a ComfyUI."""
    return "folder_paths" in sys.modules


def folder(kind: str) -> Path:
    """Return the folder ``input``, ``output`` or ``temp``; without ComfyUI that name in GEN5_FOLDER."""
    if is_present():
        return Path(getattr(_module("folder_paths"), f"get_{kind}_directory")())
    return Path(os.environ.get(FOLDER_VARIABLE, ".")) / kind


def user_folder() -> Path:
    """Return where ComfyUI keeps its users' data; without ComfyUI ``user`` in GEN5_FOLDER."""
    if is_present():
        return Path(_module("folder_paths").get_user_directory())
    return Path(os.environ.get(FOLDER_VARIABLE, ".")) / "user"


def setting(name: str, default: Setting) -> Setting:
    """Return what the person chose in ComfyUI's settings; default where nothing of its type is found."""
    path = user_folder() / DEFAULT_USER / SETTINGS_FILE
    try:
        chosen = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # absent, half written, or edited by hand
        return default
    value = chosen.get(name) if isinstance(chosen, dict) else None
    return value if type(value) is type(default) else default


def save_location(prefix: str, width: int, height: int) -> tuple[Path, str, int, str]:
    """Return folder, file name, next free number and subfolder for a filename_prefix.

    ComfyUI replaces its own tokens (``%year%``, ``%width%`` …) and refuses to leave output/.
    Without ComfyUI the prefix is taken as it is.
    """
    if is_present():
        full, name, counter, subfolder, _ = _module("folder_paths").get_save_image_path(
            prefix, str(folder("output")), width, height
        )
        return Path(full), name, counter, subfolder
    full = folder("output") / os.path.dirname(prefix)
    full.mkdir(parents=True, exist_ok=True)
    name = os.path.basename(prefix)
    numbers = [
        entry.name[len(name) + 1 :].split("_")[0]
        for entry in full.iterdir()
        if entry.name.startswith(f"{name}_")
    ]
    counter = max((int(number) for number in numbers if number.isdecimal()), default=0) + 1
    return full, name, counter, os.path.dirname(prefix)


def model_file(kinds: Sequence[str], name: str) -> Path | None:
    """Return the file of a model by its name in one of ComfyUI's model folders; None without ComfyUI."""
    if not is_present():
        return None
    folder_paths = _module("folder_paths")
    for kind in kinds:
        if kind in folder_paths.folder_names_and_paths and (path := _full_path(kind, name)):
            return Path(path)
    return None


def _full_path(kind: str, name: str) -> str | None:
    try:
        found: str | None = _module("folder_paths").get_full_path(kind, name)
    except ValueError:  # Windows: a name on another drive, as a file from elsewhere may have it
        return None
    return found


def metadata_disabled() -> bool:
    """Tell whether ComfyUI was started with --disable-metadata; False without ComfyUI."""
    return is_present() and bool(_module("comfy.cli_args").args.disable_metadata)


def description() -> str | None:
    """Return ComfyUI and its version, e.g. ``ComfyUI 0.33.0``; None without ComfyUI."""
    if not is_present():
        return None
    if importlib.util.find_spec("comfyui_version") is None:
        return "ComfyUI"
    return f"ComfyUI {_module('comfyui_version').__version__}"


def attention_backend() -> str | None:
    """Return the name of the attention function that ComfyUI chose; None without ComfyUI."""
    attention = sys.modules.get("comfy.ldm.modules.attention")
    chosen = getattr(attention, "optimized_attention", None)
    return None if chosen is None else str(getattr(chosen, "__name__", chosen))


def executing() -> tuple[str | None, str | None]:
    """Return the ids of the prompt and the node that run now; (None, None) where nothing tells."""
    context = _executing_context()
    return (None, None) if context is None else (context.prompt_id, context.node_id)


def executing_item() -> int | None:
    """Return which item of its lists the node that runs now is at; None where nothing tells."""
    return getattr(_executing_context(), "list_index", None)


def add_sampling_wrapper(model: Any, key: str, wrapper: Callable[..., Any]) -> Any:
    """Return a clone of a MODEL whose sampling runs goes through wrapper.

    Source: ``comfy.patcher_extension``, OUTER_SAMPLE.
    """
    kind = _module("comfy.patcher_extension").WrappersMP.OUTER_SAMPLE
    clone = model.clone()
    clone.add_wrapper_with_key(kind, key, wrapper)
    return clone


def to_result(output: Any) -> Any:
    """Return a sampler's output where ComfyUI keeps latents between nodes; where it is without ComfyUI.

    ComfyUI's samplers do the same right afterwards, which then keeps this very tensor. Its dtype is left
    alone: some of them go on with it, others cast it (see ``casts_results``).
    """
    management = sys.modules.get("comfy.model_management")
    return output if management is None else output.to(management.intermediate_device())


NOISE_FACTORIES = ("default_noise_sampler", "BrownianTreeNoiseSampler")
"""What every sampler of the core draws its step noise through."""


def noise_factories() -> Any | None:
    """Return the module that holds NOISE_FACTORIES; None without ComfyUI."""
    return _module("comfy.k_diffusion.sampling") if is_present() else None


def nested(parts: Sequence[Any]) -> Any:
    """Return ComfyUI's NestedTensor of parts (audio and video); ImportError where there is none."""
    return _module("comfy.nested_tensor").NestedTensor(list(parts))


def prepare_noise(samples: Any, seed: int, batch_index: Sequence[int] | None) -> Any | None:
    """Return the noise that this ComfyUI draws for a latent; None without ComfyUI.

    Versions differ in how they draw half precision, so the host's own rule is asked. torch's global
    generator is left as it was.
    """
    if not is_present():
        return None
    cuda = _module("torch").cuda
    devices = range(cuda.device_count()) if cuda.is_initialized() else ()
    with _module("torch").random.fork_rng(devices=devices):
        return _module("comfy.sample").prepare_noise(samples, seed, batch_index)


def sampler_names() -> Sequence[str] | None:
    """Return the samplers that a KSampler offers; None without ComfyUI."""
    return _module("comfy.samplers").KSampler.SAMPLERS if is_present() else None


def scheduler_names() -> Sequence[str] | None:
    """Return the schedulers that a KSampler offers; None without ComfyUI."""
    return _module("comfy.samplers").KSampler.SCHEDULERS if is_present() else None


def blocked(message: str) -> Any:
    """Return an output that stops what needs it, with message, and nothing else."""
    if is_present():
        return _module("comfy_execution.graph_utils").ExecutionBlocker(message)
    return Blocked(message)


def progress(total: int) -> Callable[[int], None]:
    """Return a function that moves the node's progress bar to a value; without ComfyUI it does nothing."""
    if not is_present():
        return lambda value: None
    bar = _module("comfy.utils").ProgressBar(total)
    return lambda value: bar.update_absolute(value, total)


def add_prompt_handler(handler: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Let handler see every prompt before it is validated; tell whether there is a server for that."""
    instance = _server()
    if instance is None:
        return False
    instance.add_on_prompt_handler(handler)
    return True


def routes() -> Any | None:
    """Return aiohttp's table of routes that the server is going to serve; None where there is no server."""
    return getattr(_server(), "routes", None)


def add_sampler_wrapper(model: Any, key: str, wrapper: Callable[..., Any]) -> None:
    """Let wrapper stand around the sampler itself in a MODEL's runs, within every sampling wrapper.

    Source: ``comfy.patcher_extension``, SAMPLER_SAMPLE.
    """
    kind = _module("comfy.patcher_extension").WrappersMP.SAMPLER_SAMPLE
    model.add_wrapper_with_key(kind, key, wrapper)


def casts_results(dtype: Any) -> bool:
    """Tell whether ComfyUI keeps latents between nodes in another dtype than this; False without ComfyUI."""
    kept = getattr(sys.modules.get("comfy.model_management"), "intermediate_dtype", None)
    return kept is not None and bool(kept() != dtype)


def _server() -> Any | None:
    server = sys.modules.get("server")
    return getattr(getattr(server, "PromptServer", None), "instance", None)


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _executing_context() -> Any:
    if not is_present() or importlib.util.find_spec("comfy_execution.utils") is None:
        return None
    return _module("comfy_execution.utils").get_executing_context()
