"""Real node packs in a real ComfyUI: what is recorded of their samplers, and replayed; ``pytest tests/packs``.

==========  =============================================================================
packs       the packs on this machine, and how to get them
server      a ComfyUI with copies of them, and without a network
trial       a graph around one sampler, built from the server's description of its nodes
recipes     the ways through a pack's nodes to a result
cases       what is tried of each pack
trying      one case: sampled without this pack, with it, saved, and replayed
table       the results: the table at the end, and docs/packs.md
conftest    the fixture ``rows``: every case tried once
==========  =============================================================================

It builds on ``comfyui``, the tests in a real server, and shares its launcher, graphs and test pack.
"""
