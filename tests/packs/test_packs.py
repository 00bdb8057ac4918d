"""What is stored of packs' samplers is what ran: no picture changes, and what cannot be equal is said."""

from __future__ import annotations

import pytest

from .cases import all_cases, classes, sampling_classes
from .packs import Pack
from .table import NO, Row
from .trying import Servers, server_info

pytestmark = pytest.mark.timeout(2 * 3600)

UNUSABLE = {
    ("RES4LYF", "KSampler, legacy_rk, eps"): "NVIDIA",
    ("RES4LYF", "KSampler, legacy_rk, flow"): "NVIDIA",
    ("RES4LYF", "Legacy_ClownSampler"): "NVIDIA",
    ("RES4LYF", "Legacy_SharkSampler"): "NVIDIA",
    ("RES4LYF", "Legacy_ClownsharKSampler"): "'NoneType' object has no attribute 'clone'",
    ("RES4LYF", "UltraSharkSampler"): "stable_cascade_stage",  # for models of Stable Cascade
    ("RES4LYF", "BongSampler"): "name 'options' is not defined",
    ("ComfyUI-Impact-Pack", "SEGSUpscaler"): "'DifferentialDiffusion' object has no attribute 'apply'",
    ("ComfyUI-Impact-Pack", "SEGSUpscaler (pipe)"): "'DifferentialDiffusion' object has no attribute 'apply'",
    ("ComfyUI-sonar", "RestartSamplerCustomNoise"): "Restart not available",  # comes with another pack
}
"""Samplers that do not run here even without this pack -> what the server says."""

UNTRIED = {
    **dict.fromkeys(("BlehAdvancedAttentionSampler", "BlehSageAttentionSampler"), "needs SageAttention"),
    **dict.fromkeys(("FaceDetailer", "FaceDetailerPipe"), "needs a model that detects faces"),
    **dict.fromkeys(
        ("ttN pipeKSamplerSDXL", "ttN pipeKSamplerSDXL_v2"), "its pipe comes from a loader alone"
    ),
    "KRestartSamplerCustomNoise": "needs another pack, whose schedulers it lists",
    "TiledKSamplerProvider": "needs another pack, whose node it runs",
    "ScheduledPerpNegCFGGuider //Inspire": "gives NaN with the test pack's models",
    "easy fullCascadeKSampler": "needs the models of Stable Cascade",
}
"""Nodes that sample and are not tried -> why."""

PART = "1 of them stored"
"""Several runs at sizes of their own, of which the last made the image."""
SEGS = "no sampler was found above this node"
"""The image comes out of a node that only pastes what another one sampled."""
OTHER_START = "starts from another latent than"
"""Straight: the second of two samplers, or one that does not take the noise as its latent: it has its own seed."""
EXPECTED = {
    ("ComfyUI-Impact-Pack", "IterativeLatentUpscale"): PART,
    ("ComfyUI-Impact-Pack", "IterativeLatentUpscale (pipe)"): PART,
    ("ComfyUI-Impact-Pack", "DetailerForEachPipeForAnimateDiff"): SEGS,
    ("ComfyUI-Impact-Pack", "SEGSDetailer"): SEGS,
    ("ComfyUI-Impact-Pack", "SEGSDetailerForAnimateDiff"): SEGS,
    ("efficiency-nodes-comfyui", "KSampler, HighRes-Fix"): PART,
    ("RES4LYF", "ClownsharkChainsampler"): OTHER_START,
    ("RES4LYF", "SharkChainsampler"): OTHER_START,
    ("ComfyUI_Noise", "Unsampler"): OTHER_START,
    ("ComfyUI-Easy-Use", "unSampler"): OTHER_START,
    ("ComfyUI-Easy-Use", "preSamplingNoiseIn, kSampler"): OTHER_START,
    ("ComfyUI-Easy-Use", "preSampling, kSamplerInpainting"): OTHER_START,
}
"""Samplers that are not bit-exact -> a part of the reason that is told, which is true."""


def test_every_pack_starts(servers: Servers, packs: list[Pack]) -> None:
    """Both servers import all packs that were found, and the one also this pack."""
    for server in (servers.without, servers.gen5):
        failed = [line for line in server.log().splitlines() if "IMPORT FAILED" in line]
        assert [line for line in failed if any(name in line for name in server.packs)] == []
    served = {node["python_module"] for node in servers.gen5.object_info().values()}
    assert [pack.name for pack in packs if f"custom_nodes.{pack.name}" not in served] == []


def test_every_node_that_samples_is_tried(servers: Servers, packs: list[Pack]) -> None:
    """Each node that samples, or makes a SAMPLER, NOISE or GUIDER, is in a case, or listed here with a reason."""
    info = server_info(servers.without)
    tried = {
        class_type
        for case in all_cases(info, [pack.name for pack in packs])
        for class_type in classes(case, info)
    }
    assert sorted(sampling_classes(info) - tried - UNTRIED.keys()) == []


def test_what_does_not_run_is_known(rows: list[Row]) -> None:
    """A sampler that does not run in this ComfyUI is listed here, so that none is left out unseen."""
    unknown = [
        (row.pack, row.sampler, row.said)
        for row in rows
        if not row.ran and UNUSABLE.get((row.pack, row.sampler), "\0") not in "; ".join(row.said)
    ]
    assert unknown == []


def test_no_picture_changes(rows: list[Row]) -> None:
    """Neither having this pack installed nor saving with it changes a result."""
    assert [(row.pack, row.sampler, row.said) for row in rows if row.same == NO] == []


def test_every_run_is_recorded(rows: list[Row]) -> None:
    """Save Gen5 stores the run, or says why not."""
    missed = [row for row in rows if row.ran and row.recorded.startswith("no") and not row.said]
    assert [(row.pack, row.sampler, row.recorded) for row in missed] == []


def test_no_setting_is_wrong(rows: list[Row]) -> None:
    """No stored seed, steps, cfg, sampler or scheduler differs from what the sampler's widgets say."""
    assert [(row.pack, row.sampler, row.settings) for row in rows if "wrong" in row.settings] == []


def test_nothing_is_silently_wrong(rows: list[Row]) -> None:
    """Where a replay differs, the file, the log or an error says so."""
    assert [(row.pack, row.sampler, row.wired, row.straight) for row in rows if row.silent] == []


def test_what_differs_is_known(rows: list[Row]) -> None:
    """Each sampler that is not bit-exact is listed here, with the reason that is told."""
    unknown = [
        (row.pack, row.sampler, row.said)
        for row in rows
        if row.ran
        and not row.exact
        and EXPECTED.get((row.pack, row.sampler), "\0") not in "; ".join(row.said)
    ]
    assert unknown == []


def test_each_replay_shows_something(rows: list[Row]) -> None:
    """Whatever replays bit for bit gives another result under the other seed if nothing is replayed."""
    assert [(row.pack, row.sampler) for row in rows if not row.seeded] == []


def test_nine_in_ten_are_bit_exact(rows: list[Row]) -> None:
    """Of all samplers that run, 90 % replay bit for bit, wired and straight."""
    tried = [row for row in rows if row.ran]
    assert len([row for row in tried if row.exact]) >= 0.9 * len(tried)
