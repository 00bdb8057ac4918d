"""The promise: saved, the server restarted, loaded, sampled under another seed, equal to the last bit."""

from __future__ import annotations

import pytest

import gen5core

from .graph import Settings
from .graphs import BUILDERS, KINDS
from .results import digests, sample
from .roundtrip import Saved, replay_straight, replay_wired, save
from .server import Server

CASES = {
    **{name: (name, "euler", 1) for name in BUILDERS},
    "txt2img of four": ("txt2img", "euler", 4),
    "inpaint with ddim": ("inpaint", "ddim", 1),
    "img2img with dpmpp_2m": ("img2img", "dpmpp_2m", 1),
}
Saves = dict[tuple[str, str], list[Saved]]


@pytest.fixture(scope="module", params=[True, None], ids=["wired", "by itself"])
def saves(server: Server, request: pytest.FixtureRequest) -> Saves:
    """Every case with every kind of model, recorded and saved; the server is then started anew.

    Once with Record Sampling wired, once with nothing but Save Gen5 in the graph.
    """
    made: Saves = {}
    for case, (builder, sampler, batch) in CASES.items():
        for kind in KINDS:
            settings = Settings(kind=kind, sampler_name=sampler, batch_size=batch, seed=2**63 + 11)
            made[case, kind] = save(server, BUILDERS[builder](settings), record=request.param)
    server.restart()
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_recorded_file_is_whole(saves: Saves, case: str, kind: str) -> None:
    """Every saved file verifies, says that its noise was recorded, and holds the result that was returned."""
    for saved in saves[case, kind]:
        with gen5core.open(saved.path) as file:
            file.verify()
            assert file.capture is not None
            assert "recorded" == file.capture["noise_source"]
            assert "reason" not in file.capture
            assert "final_latent" in file.latents


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_wired_replay_is_bit_exact(server: Server, saves: Saves, case: str, kind: str) -> None:
    """With Replay Sampling before the sampler the result is the saved one, bit for bit."""
    for saved in saves[case, kind]:
        assert saved.digests == digests(sample(server, replay_wired(saved)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_noise_straight_into_the_sampler_is_bit_exact(
    server: Server, saves: Saves, case: str, kind: str
) -> None:
    """With Load Gen5's noise in latent_image and nothing else, text to image gives the saved result."""
    for saved in saves[case, kind]:
        assert saved.digests == digests(sample(server, replay_straight(saved)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("builder", ["txt2img", "sampler_custom", "sampler_custom_advanced", "split"])
def test_derived_noise_equals_recorded_noise(server: Server, builder: str, kind: str) -> None:
    """What is drawn again from the graph's seed is what the sampler had received."""
    graph = BUILDERS[builder](Settings(kind=kind, batch_size=2))
    [recorded], [derived] = save(server, graph), save(server, graph, record=False)
    with gen5core.open(recorded.path) as one, gen5core.open(derived.path) as other:
        assert "derived" == (other.capture or {})["noise_source"]
        expected = one.latents["initial_noise"].array()
        actual = other.latents["initial_noise"].array()
        assert expected.dtype == actual.dtype
        assert expected.tobytes() == actual.tobytes()
