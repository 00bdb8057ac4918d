"""Gen5 Settings without ComfyUI: the values of a stored pass, and sockets that connect to list inputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from gen5pack import gen5core
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes import host
from gen5pack.nodes.host import Blocked
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.settings import AnyType, Gen5Settings
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import hires, images, txt2img


def saved(prompt: dict[str, Any]) -> StoredFile:
    """Save through the node with a prompt; return the GEN5 output."""
    stored: StoredFile = Gen5Save().save("x", images=images(), prompt=prompt, unique_id="9")["result"][1]
    return stored


def stored(folder: Path, **facts: Any) -> StoredFile:
    """Return a file written by the core alone."""
    path = gen5core.save(folder / "input" / "a.gen5", environment=None, hardware=None, **facts)
    return open_stored(path)


def read(gen5: StoredFile, pass_index: int = -1) -> dict[str, Any]:
    """Return the outputs by name."""
    return dict(zip(Gen5Settings.RETURN_NAMES, Gen5Settings().read(gen5, pass_index), strict=True))


def test_values_of_the_graph() -> None:
    """Every output is the sampler's setting."""
    assert read(saved(txt2img(2**64 - 1))) == {
        "seed": 2**64 - 1,
        "steps": 20,
        "cfg": 7.5,
        "sampler_name": "euler",
        "scheduler": "karras",
        "denoise": 1.0,
        "positive": "a cat, 猫",
        "negative": "blurry",
        "width": 64,
        "height": 32,
        "model_name": "sd.safetensors",
    }


@pytest.mark.parametrize(
    ("pass_index", "seed", "denoise"), [(0, 5, 1.0), (1, 6, 0.5), (-1, 6, 0.5), (-2, 5, 1.0)]
)
def test_pass_index(pass_index: int, seed: int, denoise: float) -> None:
    """Passes are counted from the first, or from the last if negative."""
    found = read(saved(hires()), pass_index)
    assert (found["seed"], found["denoise"]) == (seed, denoise)


@pytest.mark.parametrize("pass_index", [2, -3])
def test_missing_pass(pass_index: int) -> None:
    """A pass that the file does not have is an error that names their number."""
    message = f"^pass_index is {pass_index}, but the file has 2 passes; −1 takes the last$"
    with pytest.raises(EncodeError, match=message):
        read(saved(hires()), pass_index)


def test_missing_pass_without_passes(folder: Path) -> None:
    """A file without captured passes has one pass, made from its settings."""
    gen5 = stored(folder, settings={"seed": 3})
    assert read(gen5, 0)["seed"] == 3
    with pytest.raises(EncodeError, match=r"^pass_index is 1, but the file has 1 passes; −1 takes the last$"):
        read(gen5, 1)


def test_file_of_another_writer(folder: Path) -> None:
    """A file without a capture outputs its generation settings and blocks what they lack."""
    gen5 = stored(
        folder,
        settings={"seed": 3, "steps": 4, "sampler": "euler", "cfg_scale": 2},
        prompt="a dog",
        model_name="sdxl",
    )
    missing = ("scheduler", "denoise", "negative", "width", "height")
    assert read(gen5) == {
        "seed": 3,
        "steps": 4,
        "cfg": 2,
        "sampler_name": "euler",
        "positive": "a dog",
        "model_name": "sdxl",
        **{name: Blocked(f"a.gen5 has no value for {name}; set that widget by hand") for name in missing},
    }


def test_file_without_settings(folder: Path) -> None:
    """A file without settings blocks each output with its own reason."""
    assert read(stored(folder)) == {
        name: Blocked(f"a.gen5 has no value for {name}; set that widget by hand")
        for name in Gen5Settings.RETURN_NAMES
    }


def test_values_of_another_pass_are_not_used(folder: Path) -> None:
    """Values that the first pass lacks are not taken from the last one, which the settings describe."""
    gen5 = stored(
        folder,
        settings={"seed": 2, "steps": 9, "sampler": "euler"},
        prompt="of the last",
        capture={"passes": [{"seed": 1, "recorded_sampler": "heun"}, {"seed": 2}]},
    )
    first, last = read(gen5, 0), read(gen5, 1)
    assert (1, Blocked("a.gen5 has no value for steps; set that widget by hand")) == (
        first["seed"],
        first["steps"],
    )
    assert first["positive"] == Blocked("a.gen5 has no value for positive; set that widget by hand")
    assert first["sampler_name"] == "heun"
    assert tuple(last[name] for name in ("seed", "steps", "positive", "sampler_name")) == (
        2,
        9,
        "of the last",
        "euler",
    )


def test_zeroed_conditioning_is_an_empty_text() -> None:
    """A negative prompt that the graph zeroes is an empty string, not unknown."""
    graph = txt2img()
    graph["10"] = {"class_type": "ConditioningZeroOut", "inputs": {"conditioning": ["6", 0]}}
    graph["3"]["inputs"]["negative"] = ["10", 0]
    assert read(saved(graph))["negative"] == ""


@pytest.mark.parametrize(
    ("known", "ending"),
    [
        (["dpmpp_2m", "dpmpp_2m_sde", "euler"], "the nearest here: dpmpp_2m, dpmpp_2m_sde$"),
        (["aa", "bb"], "available: aa, bb$"),
    ],
)
def test_unknown_sampler_names_the_nearest(
    folder: Path, known: list[str], ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sampler that the host lacks is blocked; the message lists the nearest ones, or all if none is near."""
    monkeypatch.setattr(host, "sampler_names", lambda: known)
    gen5 = stored(folder, settings={"sampler": "dpmpp_2n"})
    message = f"^the stored sampler 'dpmpp_2n' is not known to this ComfyUI; {ending}"
    found = read(gen5)
    assert re.search(message, found["sampler_name"].message)


def test_unknown_scheduler(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that the host lacks blocks only its own output; one that it has is output."""
    monkeypatch.setattr(host, "scheduler_names", lambda: ["normal", "karras"])
    assert read(stored(folder, settings={"scheduler": "karras"}))["scheduler"] == "karras"
    found = read(stored(folder, settings={"scheduler": "karas", "seed": 5}))
    assert found["seed"] == 5
    assert re.search(
        r"^the stored scheduler 'karas' .*; the nearest here: karras$", found["scheduler"].message
    )


def test_list_sockets_accept_every_type() -> None:
    """sampler_name and scheduler equal every type in ComfyUI's comparison, but still are COMBO."""
    types = dict(zip(Gen5Settings.RETURN_NAMES, Gen5Settings.RETURN_TYPES, strict=True))
    for name in ("sampler_name", "scheduler"):
        assert isinstance(types[name], AnyType)
        assert not types[name] != ["euler", "heun"]  # noqa: SIM202
        assert not types[name] != "COMBO"  # noqa: SIM202
        assert str(types[name]) == "COMBO"
        assert types[name] in {"COMBO"}
