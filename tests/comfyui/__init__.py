"""A real ComfyUI as a subprocess, spoken to over HTTP, with tiny seeded models; ``pytest tests/comfyui``.

==============  ==========================================================================
launcher        ``scripts/comfyui_install.py``, ``comfyui_server.py``: the ComfyUIs found, and one started
server          one running ComfyUI: queue a graph, wait, read its results
graph, graphs   a graph being built; the graphs that tests start from
results         what a run told: digests of latents, what reached the sampler
roundtrip       save a graph's result, and run the graph again from the file
matrix          which samplers replay bit for bit: the table at the end
pack            the custom nodes that stand in for models, decoders and text encoders
conftest        the fixture ``server``: every test that takes it runs on each ComfyUI found
==============  ==========================================================================

Nothing here imports ComfyUI, torch's part in it or the pack: they live in the other process.
"""
