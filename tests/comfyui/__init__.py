"""A real ComfyUI as a subprocess, used over HTTP, with tiny seeded models; ``pytest tests/comfyui``.

==============  ==========================================================================
launcher        ``scripts/comfyui_install.py``, ``comfyui_server.py``: the ComfyUIs found, and one started
server          one running ComfyUI: queue a graph, wait, read its results
graph, graphs   a graph being built; the graphs that tests start from
results         what a run returned: digests of latents, the inputs of its sampler
roundtrip       save a graph's result, and run the graph again from the file
matrix          which samplers replay bit for bit: the table at the end
pack            custom nodes used instead of models, decoders and text encoders
conftest        the fixture ``server``: every test that takes it runs on each ComfyUI found
==============  ==========================================================================

Nothing here imports ComfyUI, torch's part in it or the pack: they live in the other process.
"""
