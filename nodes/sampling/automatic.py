"""Records every sampling run of this process, so that a Save Gen5 needs no wiring, nor does Load Gen5's noise.

Always, and not only for prompts with a Save Gen5: a sampler that ComfyUI has cached does not run again for a save that
is added later. Nothing is put into the prompt, so nothing runs, loads or waits that would not without this pack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import host
from ..prompt import auto_record
from .journal import rest_while_batching, rest_while_computing
from .overrides import record_torch_settings
from .recorder import SamplingRecorder
from .recording import Recording
from .straight import STRAIGHT

RUNS = Recording(shared=True)
"""The recent runs of this process; a Save Gen5 without a recording finds its own among them."""
_KEY = "gen5_automatic"
_recorder = SamplingRecorder(RUNS)


def register() -> bool:
    """Record, and start from files, from now on; return whether there is a ComfyUI."""
    wrappers: dict[str, Callable[..., Any]] = {
        "OUTER_SAMPLE": STRAIGHT.__call__,
        "SAMPLER_SAMPLE": record_torch_settings,
        "CALC_COND_BATCH": rest_while_batching,
        "APPLY_MODEL": rest_while_computing,
    }
    return host.wrap_all_sampling(_KEY, record_run, wrappers)


def automatic_recording(prompt: Mapping[str, Any], save: str | None) -> Recording | None:
    """Return the runs of this process for a Save Gen5; None without ComfyUI, or if they are not wanted for it."""
    return RUNS if host.is_present() and auto_record.is_on_for(prompt, save) else None


def record_run(executor: Any, *args: Any, **kwargs: Any) -> Any:
    """Sample, and record the run unless the user has turned that off."""
    if not auto_record.is_enabled():
        return executor(*args, **kwargs)
    return _recorder(executor, *args, **kwargs)
