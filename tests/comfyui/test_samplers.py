"""Every sampler of the running ComfyUI: saved, loaded from the disk, replayed under another seed, equal bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import gen5core

from .graph import Graph, Settings
from .graphs import KINDS, sampler_custom_advanced, tiny_model, txt2img
from .matrix import Row
from .results import digests, load, sample
from .roundtrip import replay_straight, replay_wired, save
from .server import GraphError, Server

BUILDERS: dict[str, Callable[[Settings], Graph]] = {
    "KSampler": txt2img,
    "SamplerCustomAdvanced": sampler_custom_advanced,
}


def sampler_names(server: Server) -> list[str]:
    """Return what the server's KSampler offers."""
    [names, *_] = server.object_info("KSampler")["KSampler"]["input"]["required"]["sampler_name"]
    return list(names if isinstance(names, list) else _options(server))


def _options(server: Server) -> list[str]:
    """Return the names from the combo's options, where later versions keep the list."""
    _, options = server.object_info("KSampler")["KSampler"]["input"]["required"]["sampler_name"]
    return list(options["options"])


@pytest.mark.parametrize("record", [True, None], ids=["wired", "automatic"])
@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_sampler_replays_bit_exactly(
    server: Server, matrix: list[Row], kind: str, builder: str, record: bool | None
) -> None:
    """With another seed in the widget and the file's noise and step noise, the result is the saved one, bit for bit."""
    names = sampler_names(server)
    failed, stochastic = [], []
    for name in names:
        settings = Settings(kind=kind, sampler_name=name, seed=2**40 + 3)
        [saved] = save(server, BUILDERS[builder](settings), record=record)
        with gen5core.open(saved.path) as file:
            stochastic += [name] if "step_noise" in file.latents else []
        if saved.digests != digests(sample(server, replay_wired(saved))):
            failed.append(name)
    how = "wired" if record else "automatic"
    sets = map(frozenset, (names, failed, stochastic))
    matrix.append(Row(server.version, kind, builder, how, *sets))
    assert failed == []


@pytest.mark.parametrize("kind", KINDS)
def test_own_generator(server: Server, kind: str) -> None:
    """A sampler that draws from a generator of its own gives the same picture with Save Gen5, and replays."""
    graph = sampler_custom_advanced(Settings(kind=kind))
    graph.set(graph.samplers[0], sampler=[graph.add("TestOwnSteps"), 0])
    plain = graph.copy()
    plain.rewire(plain.model, tiny_model(plain))  # not the one that is cached by then
    [saved] = save(server, graph, record=None)
    assert digests(sample(server, plain)) == saved.digests
    with gen5core.open(saved.path) as file:
        [entry] = (file.capture or {})["passes"]
        parts = file.latents["step_noise"].parts
    assert [draw["function"] for draw in entry["draws"]] == ["randn", "randperm", "uniform_"] * 4
    assert [part.orig_dtype for part in parts] == ["float64", "int64", "float32"]
    assert "step_noise_reason" not in entry
    assert digests(sample(server, replay_wired(saved))) == saved.digests


@pytest.mark.parametrize(
    "place", ["model_function_wrapper", "apply_model", "calc_cond_batch", "predict_noise", "cfg_function"]
)
@pytest.mark.parametrize("record", [True, None])
def test_draws_around_the_model(server: Server, place: str, record: bool | None) -> None:
    """What a pack draws beside the model is recorded and replayed, wherever ComfyUI calls it."""
    graph = txt2img(Settings())
    node = graph.add("TestDrawsAroundModel", model=graph.model, place=place, seed=7)
    graph.rewire(graph.model, [node, 0], keep=[node])
    [saved] = save(server, graph, record=record)
    with gen5core.open(saved.path) as file:
        [entry] = (file.capture or {})["passes"]
    assert {draw["function"] for draw in entry["draws"]} == {"randn"}
    replayed = replay_wired(saved)
    replayed.set(node, seed=8)
    assert digests(sample(server, replayed)) == saved.digests


def test_left_out_draws_are_drawn_again(server: Server) -> None:
    """Where draws are not kept, the stored state of torch's generator gives them again."""
    graph = sampler_custom_advanced(Settings())
    graph.set(graph.samplers[0], sampler=[graph.add("TestOwnSteps"), 0])
    node = graph.add("Gen5Record", model=graph.model, step_noise="never")
    graph.rewire(graph.model, [node, 0], keep=[node])
    [saved] = save(server, graph, record=False, recording=[node, 1])
    with gen5core.open(saved.path) as file:
        [entry] = (file.capture or {})["passes"]
        assert "step_noise" not in file.latents
    assert (entry["step_noise_reason"], set(entry["generators"])) == (
        "step_noise of Record Sampling is never",
        {"torch"},
    )
    assert digests(sample(server, replay_wired(saved))) == saved.digests


def test_step_noise_off_draws_its_own(server: Server) -> None:
    """With step_noise off an ancestral sampler starts from the stored noise and draws the rest itself."""
    [saved] = save(server, txt2img(Settings(sampler_name="euler_ancestral")))
    graph = replay_wired(saved, step_noise=False)
    assert saved.digests == digests(sample(server, graph))  # Replay Sampling passes on the stored seed
    graph = saved.graph.copy()
    graph.reseed(99)
    assert saved.digests != digests(sample(server, graph))


def test_noise_straight_replays_step_noise(server: Server) -> None:
    """Load Gen5's noise straight into an SDE sampler's latent_image replays the steps too."""
    [saved] = save(server, txt2img(Settings(kind="flow", sampler_name="dpmpp_2m_sde")))
    assert saved.digests == digests(sample(server, replay_straight(saved)))


@pytest.mark.parametrize("mode", ["never", "auto"])
def test_omitted_step_noise_is_reported(server: Server, mode: str) -> None:
    """never leaves step noise out and the file says so; auto keeps it."""
    graph = txt2img(Settings(sampler_name="euler_ancestral"))
    node = graph.add("Gen5Record", model=graph.model, step_noise=mode)
    graph.set(graph.samplers[0], model=[node, 0])
    [saved] = save(server, graph, record=False, recording=[node, 1])
    with gen5core.open(saved.path) as file:
        [entry] = (file.capture or {})["passes"]
        assert ("step_noise" in file.latents) == (mode == "auto")
        expected = None if mode == "auto" else "step_noise of Record Sampling is never"
        assert entry.get("step_noise_reason") == expected


def test_one_of_a_batch_replays_its_own_steps(server: Server) -> None:
    """batch_index picks one image's noise and its step noise: the result is that image's."""
    [saved] = save(server, txt2img(Settings(sampler_name="dpmpp_sde", batch_size=3)))
    with gen5core.open(saved.path) as file:
        expected = file.latents["final_latent"].array()[1:2]
    graph = replay_wired(saved, batch_index=1)
    [record] = sample(server, graph)
    assert expected.tobytes() == load(server.output, record["samples"]).tobytes()


@pytest.mark.parametrize(
    ("stored", "used", "message"),
    [
        (
            "euler_ancestral",
            "dpmpp_sde",
            r"holds \d+ draws of step noise, but this sampler requests draw \d+",
        ),
        ("dpmpp_sde", "euler_ancestral", r"holds \d+ draws of step noise, but this sampler used \d+"),
    ],
)
def test_other_count_of_draws_is_an_error(server: Server, stored: str, used: str, message: str) -> None:
    """With the stored sigmas, a sampler with more or fewer draws fails and names the draw; more steps work."""
    [saved] = save(server, txt2img(Settings(sampler_name=stored)))
    graph = replay_wired(saved)
    graph.set(graph.samplers[0], sampler_name=used)
    with pytest.raises(GraphError, match=message):
        sample(server, graph)
    graph.set(graph.samplers[0], steps=6)
    assert len(sample(server, graph)) == 1
