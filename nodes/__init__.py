"""The nodes: each reads its sockets, leaves the work to a room or to gen5core, and returns its outputs.

The rooms, lowest layer first; a room imports only those above it in this list:

========  ==========================================================================================
host      the only module that touches ComfyUI
tensors   LATENT and IMAGE values
prompt    edits the prompt graph before it runs
models    the model files behind an image: named above it, opened by its nodes
stored    stored files, as nodes and the browser use them; drift, models, signatures on this machine
sampling  records a sampler run, or starts one from a file
library   the files of the library tab, their index and search
saving    which noise and which recorded runs are stored, in which files, and where
server    HTTP for the web extension
========  ==========================================================================================

There is also one module per node, which no room imports: save, load, settings, record, replay, compare, drift,
determinism, noise, and two that only the server inserts: values, gate. What the browser shows is in web/, which
web/gen5.js maps.
"""

from __future__ import annotations

from typing import Any

from .compare import Gen5Compare
from .determinism import Gen5Determinism
from .drift import Gen5Environment
from .gate import Gen5Gate
from .load import Gen5Load
from .noise import Gen5Noise
from .record import Gen5Record
from .replay import Gen5Replay
from .save import Gen5Save
from .settings import Gen5Settings
from .values import Gen5Values

NODE_CLASS_MAPPINGS: dict[str, Any] = {
    "Gen5Save": Gen5Save,
    "Gen5Load": Gen5Load,
    "Gen5Settings": Gen5Settings,
    "Gen5Record": Gen5Record,
    "Gen5Replay": Gen5Replay,
    "Gen5Compare": Gen5Compare,
    "Gen5Environment": Gen5Environment,
    "Gen5Determinism": Gen5Determinism,
    "Gen5Noise": Gen5Noise,
    "Gen5Values": Gen5Values,
    "Gen5Gate": Gen5Gate,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "Gen5Save": "Save Gen5",
    "Gen5Load": "Load Gen5",
    "Gen5Settings": "Gen5 Settings",
    "Gen5Record": "Record Sampling",
    "Gen5Replay": "Replay Sampling",
    "Gen5Compare": "Compare With Stored",
    "Gen5Environment": "Environment Drift",
    "Gen5Determinism": "Deterministic Sampling",
    "Gen5Noise": "Seeded Noise",
    "Gen5Values": "Observed Values",
    "Gen5Gate": "Observed Values Gate",
}
