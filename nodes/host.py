"""The only module that touches ComfyUI: folder_paths, comfy, comfy_execution, server.

Every import is lazy, and every function says what it does without ComfyUI, so that the nodes also run in a plain
Python (tests, the demo).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import logging
import os
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Setting = TypeVar("Setting", bool, str)
SETTINGS_FILE = "comfy.settings.json"
DEFAULT_USER = "default"
"""The only user, unless ComfyUI runs with --multi-user."""
_ASKED_BY = "asked_by"
"""Key of a queued request's ``extra_data["gen5"]``; its value stands for a user only in this process."""
_MAX_QUEUED = 10_000
_asking: ContextVar[str | None] = ContextVar("gen5_asking_user")
"""The user whose request is answered; None if ComfyUI does not know the user."""
_queued_by: dict[str, str] = {}
"""Users by what stands for them in a queued request: their id is all that another user needs to act as them."""
FOLDER_VARIABLE = "GEN5_FOLDER"
"""Environment variable for the parent of input/, output/ and temp/ without ComfyUI; else the current folder."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Used instead of ComfyUI's ExecutionBlocker without ComfyUI: a missing output, and why it is missing."""

    message: str


def is_present() -> bool:
    """Return whether this process is a ComfyUI."""
    return "folder_paths" in sys.modules


def folder(kind: str) -> Path:
    """Return the folder ``input``, ``output`` or ``temp``; without ComfyUI, the one in GEN5_FOLDER."""
    if is_present():
        return Path(getattr(_module("folder_paths"), f"get_{kind}_directory")())
    return Path(os.environ.get(FOLDER_VARIABLE, ".")) / kind


def user_folder() -> Path:
    """Return the folder of ComfyUI's users' data; without ComfyUI, ``user`` in GEN5_FOLDER."""
    if is_present():
        return Path(_module("folder_paths").get_user_directory())
    return Path(os.environ.get(FOLDER_VARIABLE, ".")) / "user"


def setting(name: str, default: Setting, strict: Setting | None = None) -> Setting:
    """Return a value from the settings of the user who asks, or who queued the prompt that runs.

    Parameters
    ----------
    default : what counts if the user has no value of the same type
    strict : what counts if any user has it, where ComfyUI does not say which user it is
    """
    chosen = [_setting_of(user, name, default) for user in _users()]
    return strict if strict is not None and strict in chosen else chosen[0]


def note_users() -> bool:
    """Have requests and queued prompts tell their users; return whether there is a server with several."""
    app = getattr(_server(), "app", None)
    if app is None or not _has_several_users():
        return False

    async def middleware(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        token = _asking.set(_user_of(request))
        try:
            return await handler(request)
        finally:
            _asking.reset(token)

    app.middlewares.append(_module("aiohttp.web").middleware(middleware))
    return add_prompt_handler(_mark_user)


def _mark_user(json_data: Any) -> Any:
    """Return a queued request with something that stands for its user, whatever it said itself."""
    extra_data = json_data.get("extra_data", {}) if isinstance(json_data, dict) else None
    if not isinstance(extra_data, dict):
        return json_data
    given = extra_data.get("gen5")
    options = {
        key: value for key, value in (given if isinstance(given, dict) else {}).items() if key != _ASKED_BY
    }
    if (user := _asking.get(None)) is not None:
        options[_ASKED_BY] = secrets.token_hex(16)
        _queued_by[options[_ASKED_BY]] = user
        while len(_queued_by) > _MAX_QUEUED:
            del _queued_by[next(iter(_queued_by))]
    return {**json_data, "extra_data": {**extra_data, "gen5": options}}


def _users() -> list[str]:
    """Return the user who asks, or who queued the prompt that runs; every user if ComfyUI does not say."""
    if not _has_several_users():
        return [DEFAULT_USER]
    try:
        user = _asking.get()
    except LookupError:  # not in a request
        user = _queuing_user()
    everyone = getattr(getattr(_server(), "user_manager", None), "users", ())
    return [DEFAULT_USER, *list(everyone)] if user is None else [user]


def _has_several_users() -> bool:
    return is_present() and bool(getattr(_module("comfy.cli_args").args, "multi_user", False))


def _user_of(request: Any) -> str | None:
    """Return the user who sends a request; None for one that ComfyUI does not know."""
    try:
        return str(_server().user_manager.get_request_user_id(request))  # type: ignore[union-attr]
    except (AttributeError, KeyError):
        return None


def _queuing_user() -> str | None:
    """Return the user who queued the prompt that runs. Source: ``execution.PromptQueue``."""
    running = list(getattr(getattr(_server(), "prompt_queue", None), "currently_running", {}).values())
    prompt_id, _ = executing()
    options = [item[3].get("gen5") for item in running if prompt_id in (None, item[1])]
    if len(options) != 1 or not isinstance(options[0], dict):
        return None
    return _queued_by.get(str(options[0].get(_ASKED_BY)))


def _setting_of(user: str, name: str, default: Setting) -> Setting:
    path = user_folder() / user / SETTINGS_FILE
    try:
        chosen = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # absent, half written, or edited by hand
        return default
    value = chosen.get(name) if isinstance(chosen, dict) else None
    return value if type(value) is type(default) else default


def save_location(prefix: str, width: int, height: int) -> tuple[Path, str, int, str]:
    """Return folder, file name, next free number and subfolder for a filename_prefix.

    ComfyUI replaces its own tokens (``%year%``, ``%width%`` …) and refuses paths outside output/.
    Without ComfyUI the prefix is used as it is.
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
    """Return a model's file from ComfyUI's folders of these kinds; None if there is none, or without ComfyUI."""
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
    except ValueError:  # Windows: a name on another drive, which a file from another machine may contain
        return None
    return found


def model_folders() -> dict[str, list[str]]:
    """Return the paths of ComfyUI's model folders by their names; empty without ComfyUI.

    A folder that is input/, output/ or temp/ itself holds no models.
    """
    if not is_present():
        return {}
    others = {os.path.normcase(folder(kind)) for kind in ("input", "output", "temp")}
    return {
        str(name): [str(path) for path in paths]
        for name, (paths, *_) in list(_module("folder_paths").folder_names_and_paths.items())
        if isinstance(paths, (list, tuple)) and not any(os.path.normcase(path) in others for path in paths)
    }


def model_names(kind: str) -> list[str]:
    """Return the names in a model folder, which ComfyUI caches; empty if it cannot be listed."""
    try:
        return list(_module("folder_paths").get_filename_list(kind))
    except Exception:  # its disk is gone, or a pack registered it in another form: the others still count
        logging.debug("Gen5: the model folder %s cannot be listed", kind, exc_info=True)
        return []


def declared_options(class_type: str, name: str) -> Sequence[str]:
    """Return the values that a node's combo box offers; empty if the input is none, or without ComfyUI."""
    declared = _declared_input(class_type, name)
    first, further = (*declared, None, None)[:2]
    options = further.get("options") if first == "COMBO" and isinstance(further, dict) else first
    return [str(option) for option in options] if isinstance(options, (list, tuple)) else []


def is_lazy(class_type: str, name: str) -> bool:
    """Return whether a node declares an input as lazy; False without ComfyUI."""
    return any(
        isinstance(options, dict) and bool(options.get("lazy"))
        for options in _declared_input(class_type, name)[1:]
    )


def asks_for_cached_inputs() -> bool:
    """Return whether a node must ask for a lazy input even if its value is cached, so that no request is unseen."""
    return is_present() and hasattr(_module("comfy_execution.graph").ExecutionList, "cache_link")


def watch(module: str, name: str, called: Callable[..., object]) -> bool:
    """Call ``called(result, *arguments)`` after each call of a function of ComfyUI; return whether there is one.

    The function keeps its name, signature, result and errors, and what goes wrong in ``called`` is only logged.

    Parameters
    ----------
    name : of a function, or ``Class.method``
    """
    if not is_present() or importlib.util.find_spec(module) is None:
        return False
    owner = _module(module)
    *classes, last = name.split(".")
    for part in classes:
        owner = getattr(owner, part, None)
    function = getattr(owner, last, None)
    if function is None:
        return False
    setattr(owner, last, _watched(function, called))
    return True


def running_prompt_id() -> str:
    """Return the id of the prompt that runs, or ran last; empty if ComfyUI does not say."""
    return str(getattr(_progress(), "prompt_id", ""))


def running_node(node_id: str) -> Any:
    """Return a node of the prompt that runs, nodes made as it runs included; None if there is none."""
    graph = getattr(_progress(), "dynprompt", None)
    return graph.get_node(node_id) if graph is not None and graph.has_node(node_id) else None


def shown_node_id(node_id: str) -> str:
    """Return the id of the node that the user sees for one made as the prompt runs; of any other its own."""
    graph = getattr(_progress(), "dynprompt", None)
    return node_id if graph is None else str(graph.get_display_node_id(node_id))


def metadata_disabled() -> bool:
    """Return whether ComfyUI was started with --disable-metadata; False without ComfyUI."""
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
    """Return the ids of the running prompt and node; (None, None) if ComfyUI does not say."""
    context = _executing_context()
    return (None, None) if context is None else (context.prompt_id, context.node_id)


def executing_item() -> int | None:
    """Return the index of the list item that the running node processes; None if ComfyUI does not say."""
    return getattr(_executing_context(), "list_index", None)


def node_class(class_type: str) -> Any | None:
    """Return a node class by the name that prompts use; None if there is none, or without ComfyUI."""
    classes = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {}) if is_present() else {}
    return classes.get(class_type)


def visited_nodes() -> frozenset[str]:
    """Return the nodes that the running prompt has executed so far, or was asked for again; others came from the cache.

    Empty if ComfyUI does not say. Source: ``comfy_execution.progress``.
    """
    if not is_present() or importlib.util.find_spec("comfy_execution.progress") is None:
        return frozenset()
    return frozenset(_module("comfy_execution.progress").get_progress_state().nodes)


def add_sampling_wrapper(model: Any, key: str, wrapper: Callable[..., Any]) -> Any:
    """Return a clone of a MODEL whose sampling runs go through wrapper.

    Source: ``comfy.patcher_extension``, OUTER_SAMPLE.
    """
    kind = _module("comfy.patcher_extension").WrappersMP.OUTER_SAMPLE
    clone = model.clone()
    clone.add_wrapper_with_key(kind, key, wrapper)
    return clone


def wrap_all_sampling(
    key: str, sampling: Callable[..., Any], wrappers: Mapping[str, Callable[..., Any]]
) -> bool:
    """Send every sampling run of this process through wrappers; return False without ComfyUI.

    ``CFGGuider.sample`` does what it did, but for the length of a call the guider has wrappers. So a MODEL inside a
    pipe, a copy of a node in a loop and a sampler that a node makes for itself are all seen, and no prompt is edited.

    Parameters
    ----------
    sampling : an OUTER_SAMPLE wrapper inside all others, so that it gets what the sampler gets
    wrappers : further ones, by the name of their kind; one of OUTER_SAMPLE among them

    Source: ``comfy.samplers.CFGGuider.sample``, ``comfy.patcher_extension``.
    """
    if not is_present():
        return False
    guiders = _module("comfy.samplers").CFGGuider
    original = guiders.sample
    wrappers = {**wrappers, "OUTER_SAMPLE": _with_innermost(wrappers["OUTER_SAMPLE"], sampling)}

    @functools.wraps(original)
    def sample(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _wrapped(self, key, wrappers):
            return original(self, *args, **kwargs)

    guiders.sample = sample
    return True


def _with_innermost(wrapper: Callable[..., Any], innermost: Callable[..., Any]) -> Callable[..., Any]:
    """Return a wrapper that also puts another one inside all that this run has.

    It cannot be among the guider's options, as those of the MODEL come after them. Nor is it set on the guider, whose
    copies would then sample with the guider that they were copied from.
    """

    def outermost(executor: Any, *args: Any, **kwargs: Any) -> Any:
        executor.wrappers.append(innermost)  # a list of this run alone
        return wrapper(executor, *args, **kwargs)

    return outermost


@contextmanager
def _wrapped(guider: Any, key: str, wrappers: Mapping[str, Any]) -> Iterator[None]:
    given = getattr(guider, "model_options", None)
    options = _add_wrappers(given, key, wrappers)
    if options is None:
        yield
        return
    guider.model_options = options
    try:
        yield
    finally:
        guider.model_options = given


def _add_wrappers(options: Any, key: str, wrappers: Mapping[str, Any]) -> Any | None:
    """Return a copy of a guider's options with wrappers; None if they have them already, or are unusual."""
    extension = _module("comfy.patcher_extension")
    by_kind = {getattr(extension.WrappersMP, kind): wrapper for kind, wrapper in wrappers.items()}
    try:
        if any(
            extension.get_wrappers_with_key(kind, key, options, is_model_options=True) for kind in by_kind
        ):
            return None
        copied = _module("comfy.model_patcher").create_model_options_clone(options)
        for kind, wrapper in by_kind.items():
            extension.add_wrapper_with_key(kind, key, wrapper, copied, is_model_options=True)
    except Exception:  # a picture must not be lost because it cannot be recorded
        logger.exception("this sampling run cannot be recorded; it samples as without ComfyUI-Gen5")
        return None
    return copied


@dataclass(frozen=True, slots=True)
class NodeOrigin:
    """Which node of the graph a running node is, or was made from."""

    class_type: str | None
    display_id: str | None
    """The node in the graph as it was queued."""
    parents: tuple[str, ...]
    """The nodes that made it while the prompt ran, the nearest first; empty for a node of the graph."""


UNKNOWN_ORIGIN = NodeOrigin(None, None, ())


def node_origin(node_id: str | None) -> NodeOrigin:
    """Return where a node of the running prompt comes from; all unknown if ComfyUI does not say."""
    graph = _dynamic_prompt()
    if node_id is None or graph is None or not graph.has_node(node_id):
        return UNKNOWN_ORIGIN
    parents: list[str] = []
    current: str | None = node_id
    while (current := graph.get_parent_node_id(current)) is not None:
        parents.append(current)
    class_type = graph.get_node(node_id).get("class_type")
    return NodeOrigin(class_type, graph.get_display_node_id(node_id), tuple(parents))


def running_graph() -> dict[str, Any]:
    """Return the running prompt with the nodes that were made while it ran; empty if ComfyUI does not say."""
    graph = _dynamic_prompt()
    return {} if graph is None else {node_id: graph.get_node(node_id) for node_id in graph.all_node_ids()}


def _dynamic_prompt() -> Any | None:
    """Return ComfyUI's DynamicPrompt of the running prompt. Source: ``comfy_execution.progress``."""
    if not is_present() or importlib.util.find_spec("comfy_execution.progress") is None:
        return None
    return getattr(_module("comfy_execution.progress").get_progress_state(), "dynprompt", None)


def has_sampling_wrapper(guider: Any, key: str) -> bool:
    """Return whether a guider's runs go through a wrapper that ``add_sampling_wrapper`` added under key."""
    options = getattr(guider, "model_options", None)
    if not is_present() or not isinstance(options, dict):
        return False
    extension = _module("comfy.patcher_extension")
    kind = extension.WrappersMP.OUTER_SAMPLE
    return bool(extension.get_wrappers_with_key(kind, key, options, is_model_options=True))


def prepare_mask(mask: Any, shape: Sequence[int], guider: Any) -> Any:
    """Return a mask as a sampler gets it: float32, of the latent's shape, on the device of the guider's model.

    Source: ``comfy.samplers.CFGGuider.sample``.
    """
    device = guider.model_patcher.load_device
    return _module("comfy.sampler_helpers").prepare_mask(mask, tuple(shape), device).float()


def output_type(class_type: str, slot: int) -> str | None:
    """Return the declared type of a node's output; None if it is not known, or without ComfyUI."""
    node_class = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {}).get(class_type)
    types = getattr(node_class, "RETURN_TYPES", ()) or ()
    return str(types[slot]) if is_present() and 0 <= slot < len(types) else None


def to_result(output: Any) -> Any:
    """Return a sampler's output on the device on which ComfyUI keeps latents; unchanged without ComfyUI.

    ComfyUI's samplers do the same right afterwards and then return this very tensor. The dtype is not changed:
    some samplers return it, others cast it (see ``casts_results``).
    """
    management = sys.modules.get("comfy.model_management")
    return output if management is None else output.to(management.intermediate_device())


def brownian_classes() -> Sequence[Any]:
    """Return the loaded classes whose instances draw Brownian noise when called: ComfyUI's, and torchsde's below it.

    Whatever class is in ComfyUI's place counts, since packs put their own there.
    """
    names = (("comfy.k_diffusion.sampling", "BrownianTreeNoiseSampler"), ("torchsde", "BrownianInterval"))
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return [each for each in found if isinstance(each, type)]


def rounds_weights(module: Mapping[str, Any]) -> bool:
    """Return whether a module, given by its globals, draws only to round weights, from generators of its own.

    It does so when a model is loaded, so whether a run draws there depends on what was loaded before.
    Source: ``comfy.float.stochastic_rounding``.
    """
    return module.get("__name__") == "comfy.float"


def nested(parts: Sequence[Any]) -> Any:
    """Return ComfyUI's NestedTensor of parts (audio and video). Raise ImportError if this version has none."""
    return _module("comfy.nested_tensor").NestedTensor(list(parts))


def prepare_noise(samples: Any, seed: int, batch_index: Sequence[int] | None) -> Any | None:
    """Return the noise that this ComfyUI draws for a latent; None without ComfyUI.

    Versions draw half precision differently, so the host's own function is called. torch's global generator is
    not changed.
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


def core_sampler(name: str) -> Any | None:
    """Return the function of one of ComfyUI's own samplers; None for a pack's, or without ComfyUI."""
    found = getattr(sys.modules.get("comfy.k_diffusion.sampling"), f"sample_{name}", None)
    return found if str(getattr(found, "__module__", "")).startswith("comfy.") else None


def scheduler_names() -> Sequence[str] | None:
    """Return the schedulers that a KSampler offers; None without ComfyUI."""
    return _module("comfy.samplers").KSampler.SCHEDULERS if is_present() else None


def blocked(message: str) -> Any:
    """Return an output that stops only the nodes that need it, with message."""
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
    """Call handler with every prompt before it is validated. Return False if there is no server."""
    instance = _server()
    if instance is None:
        return False
    instance.add_on_prompt_handler(handler)
    return True


def routes() -> Any | None:
    """Return aiohttp's table of the server's routes; None if there is no server."""
    return getattr(_server(), "routes", None)


def add_sampler_wrapper(model: Any, key: str, wrapper: Callable[..., Any]) -> None:
    """Wrap the sampler function itself in a MODEL's runs, inside all sampling wrappers.

    Source: ``comfy.patcher_extension``, SAMPLER_SAMPLE.
    """
    kind = _module("comfy.patcher_extension").WrappersMP.SAMPLER_SAMPLE
    model.add_wrapper_with_key(kind, key, wrapper)


def add_model_wrapper(model: Any, key: str, wrapper: Callable[..., Any]) -> None:
    """Wrap each computation of a MODEL.

    Source: ``comfy.patcher_extension``, APPLY_MODEL.
    """
    kind = _module("comfy.patcher_extension").WrappersMP.APPLY_MODEL
    model.add_wrapper_with_key(kind, key, wrapper)


def inner_wrappers(executor: Any) -> Sequence[Any]:
    """Return the wrappers that run inside the one that is given executor.

    Source: ``comfy.patcher_extension.WrapperExecutor``.
    """
    wrappers: Sequence[Any] = getattr(executor, "wrappers", ())
    return wrappers[executor.idx + 1 :] if wrappers else ()


def model_wrappers(options: Mapping[str, Any]) -> list[Any]:
    """Return what wraps each computation of a model, from a guider's options.

    Source: as for ``add_model_wrapper``.
    """
    extension = _module("comfy.patcher_extension")
    found: list[Any] = extension.get_all_wrappers(
        extension.WrappersMP.APPLY_MODEL, options, is_model_options=True
    )
    return found


def casts_results(dtype: Any) -> bool:
    """Return whether ComfyUI casts latents from this dtype between nodes; False without ComfyUI."""
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


def _watched(function: Callable[..., Any], called: Callable[..., object]) -> Callable[..., Any]:
    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        try:
            called(result, *args, **kwargs)
        except Exception:  # ComfyUI goes on whatever happens here
            logging.debug("Gen5: a call of %s was not noted", function.__name__, exc_info=True)
        return result

    return watched


def _progress() -> Any:
    if not is_present() or importlib.util.find_spec("comfy_execution.progress") is None:
        return None
    return _module("comfy_execution.progress").get_progress_state()


def _declared_input(class_type: str, name: str) -> tuple[Any, ...]:
    """Return what a node class declares of an input: its type and options; empty if it declares none."""
    found = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {}).get(class_type)
    try:
        groups = found.INPUT_TYPES() if found is not None else {}
        declared = (groups.get(group, {}).get(name) for group in ("required", "optional"))
        return tuple(next((one for one in declared if isinstance(one, (tuple, list))), ()))
    except Exception:  # a pack's own code
        logging.debug("Gen5: %s does not declare its inputs", class_type, exc_info=True)
        return ()
