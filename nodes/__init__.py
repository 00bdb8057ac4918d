"""The nodes: sockets in, one call into gen5core, sockets out.

============  ==============================================================================
host          the only module that touches ComfyUI
latents       LATENT dicts and the tensors in them
content       the GEN5 socket: a stored file and its passes
sampling      one sampling run: its arguments, whatever ComfyUI's version
recording     the GEN5_RECORDING socket: runs, and which belongs to which latent
replaying     a stored start handed to a sampler
capturing     the noise at save time: recorded, provided, derived, none
resources     the models behind an image
splice, hook  prompts changed before they run, and back before they are stored
save …        the node classes, one a module
============  ==============================================================================
"""

from __future__ import annotations

from typing import Any

from .load import Gen5Load
from .record import Gen5Record
from .replay import Gen5Replay
from .save import Gen5Save
from .settings import Gen5Settings

NODE_CLASS_MAPPINGS: dict[str, Any] = {
    "Gen5Save": Gen5Save,
    "Gen5Load": Gen5Load,
    "Gen5Settings": Gen5Settings,
    "Gen5Record": Gen5Record,
    "Gen5Replay": Gen5Replay,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "Gen5Save": "Save Gen5",
    "Gen5Load": "Load Gen5",
    "Gen5Settings": "Gen5 Settings",
    "Gen5Record": "Record Sampling",
    "Gen5Replay": "Replay Sampling",
}
