"""The nodes: sockets in, one call into gen5core, sockets out.

============  ==============================================================================
host          the only module that touches ComfyUI
latents       LATENT dicts and the tensors in them
content       the GEN5 socket: a stored file and its passes
sampling      one sampling run: its arguments, whatever ComfyUI's version
recording     the GEN5_RECORDING socket: runs, and which returned which latent
matching      which recorded run is of which sampler pass of the graph
replaying     a stored start handed to a sampler
step_noise    noise added at each step, noted or played back
capturing     the noise at save time: recorded, provided, derived, none
resources     the models behind an image
comparing     two images or latents
previews      images as the browser shows them
telling       what a saved file tells of its making; private parts left out if asked
trust         the key that saves are signed with; what a file's signatures are worth here
formats       which files a save writes: .gen5, PNGs beside it, PNGs that carry the record
placing       where a save goes; its files together under one number
listing       the files that Load Gen5 offers; which PNGs carry a record
splice, hook  prompts changed before they run, and back before they are stored
routes        read-only HTTP for the web extension: queries and refusals in, answers out; made of
              facts (a file as JSON), shown (as much of it as a page can show), thumbnails, verifying
              (a check that tells how far it is)
library …     the files of input/ and output/: library_entry (what one tells), library_index (SQLite),
              library_scan (what changed on the disk)
save …        the node classes, one a module
============  ==============================================================================
"""

from __future__ import annotations

from typing import Any

from .compare import Gen5Compare
from .determinism import Gen5Determinism
from .environment import Gen5Environment
from .load import Gen5Load
from .noise import Gen5Noise
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
    "Gen5Compare": Gen5Compare,
    "Gen5Environment": Gen5Environment,
    "Gen5Determinism": Gen5Determinism,
    "Gen5Noise": Gen5Noise,
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
}
