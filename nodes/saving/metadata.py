"""How a saved file was made: graph, settings, machine and environment; private data left out if the user asks."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from ... import gen5core
from ...gen5core.writer.model_info import is_valid_setting
from .. import host
from ..prompt.edit import remove_inserted
from ..stored.models import describe_resources
from .capture import Captured
from .inputs import SaveInputs, SaveOptions
from .request import SaveRequest

MACHINE_NAME_SETTING = "Gen5.Privacy.MachineName"
SCRUB_SETTING = "Gen5.Privacy.Scrub"


def build_request(
    inputs: SaveInputs,
    captured: Captured,
    options: SaveOptions,
    extra_pnginfo: Mapping[str, Any] | None,
    signing_key: gen5core.SigningKey | None,
) -> SaveRequest:
    """Return everything that is to be saved, except the images."""
    environment = gen5core.Environment.capture(host=host.description(), attention=host.attention_backend())
    is_embedded = options.embed_workflow and not host.metadata_disabled()
    named = _find_named_pass(captured.passes)
    return SaveRequest(
        latents=captured.latents,
        comfyui=_describe_graph(inputs.executed, extra_pnginfo) if is_embedded else None,
        capture=captured.as_meta(inputs.batch_index),
        resources=describe_resources(inputs.passes, inputs.models, options.fingerprint_models),
        tags=options.tag_list,
        compression=options.compression,
        signing_key=signing_key,
        environment=environment,
        hardware={**environment.hardware, **_machine_name()},
        settings=_describe_settings(captured.passes) or None,
        prompt=named.get("positive") or "",
        model_name=named.get("model_name") or "",
    )


def apply_privacy_setting(request: SaveRequest) -> tuple[SaveRequest, list[str]]:
    """Return the request, scrubbed if the user's settings say so, and one line for each thing left out."""
    return request.scrubbed() if host.setting(SCRUB_SETTING, False, strict=True) else (request, [])


def _describe_graph(
    prompt: Mapping[str, Any], extra_pnginfo: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return META's ``comfyui``: prompt, workflow, whatever else the browser adds, and ComfyUI's version.

    None if there is nothing but the version.
    """
    graph = remove_inserted(prompt)
    embedded = {**({"prompt": graph} if graph else {}), **(extra_pnginfo or {})}
    return {**embedded, "version": host.description()} if embedded else None


def _machine_name() -> dict[str, str]:
    """Return the machine's name as ``hardware_info`` holds it; nothing unless the user has chosen to store it."""
    name = platform.node() if host.setting(MACHINE_NAME_SETTING, False, strict=False) else ""
    # a name may hold lone surrogates, which JSON in UTF-8 cannot
    return {"machine_name": name.encode("utf-8", "replace").decode()} if name else {}


def _describe_settings(passes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings of the pass nearest the image, without values that META does not allow."""
    last = passes[-1] if passes else {}
    settings = {
        "seed": last.get("seed"),
        "steps": last.get("steps"),
        "sampler": last.get("sampler_name") or last.get("recorded_sampler"),
        "cfg_scale": last.get("cfg"),
        "scheduler": last.get("scheduler"),
        "denoise": last.get("denoise"),
        "negative": last.get("negative"),
        "width": last.get("width"),
        "height": last.get("height"),
    }
    return {
        name: value for name, value in settings.items() if value is not None and is_valid_setting(name, value)
    }


def _find_named_pass(passes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the pass nearest the image whose prompt or model is known; a run outside the graph has neither."""
    return next((entry for entry in reversed(passes) if "positive" in entry or "model_name" in entry), {})
