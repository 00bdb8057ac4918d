"""Scrubbing when a file is saved: the setting, what is left out of files and PNGs, and what the node reports."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from gen5pack import gen5core
from gen5pack.gen5core.rewrite.scrub import find_private
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.saving import metadata
from gen5pack.nodes.saving.request import SaveRequest
from PIL import Image
from runs import images, randn, txt2img

FORMATS = ("gen5+png", "gen5", "png")
HOST = "anns-laptop"
PRIVATE = (HOST, "anna", "/home", "nas7")
WORKFLOW = {"nodes": [{"id": 1, "widgets_values": ["/home/anna/refs/cat.png", "C:\\Users\\anna\\x.png", 3]}]}


@pytest.fixture(autouse=True)
def _named_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata.platform, "node", lambda: HOST)


def choose(folder: Path, **values: bool) -> None:
    """Write settings of Gen5.Privacy into ComfyUI's settings file."""
    path = folder / "user" / "default" / "comfy.settings.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({f"Gen5.Privacy.{name}": value for name, value in values.items()}))


def save(folder: Path, format: str) -> tuple[list[bytes], list[Path], list[str]]:
    """Save something private; return the bytes of all files, the paths of the records, and what was left out."""
    graph = txt2img()
    graph["4"]["inputs"]["ckpt_name"] = "/home/anna/models/sd.safetensors"
    graph["6"]["inputs"]["text"] = "a cat like \\\\nas7\\anna\\cat.png"
    answer = Gen5Save().save(
        "x",
        images=images(2),
        latent={"samples": randn(2, 4, 4, 8)},
        format=format,
        tags="~anna/tags, cat",
        prompt=graph,
        unique_id="9",
        extra_pnginfo={"workflow": WORKFLOW, "client": HOST},
    )
    paths = sorted((folder / "output").iterdir())
    records = [path for path in paths if path.suffix == ".gen5" or gen5core.is_carrier(path)]
    return [path.read_bytes() for path in paths], records, answer["ui"]["gen5"][0]["scrubbed"]


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_private_is_left(folder: Path, format: str) -> None:
    """Neither META nor the texts of PNGs name machine, user or folder; the scrubbed workflow is stored."""
    choose(folder, Scrub=True, MachineName=True)
    contents, records, scrubbed = save(folder, format)
    assert [word for data in contents for word in PRIVATE if word.encode() in data] == []
    for path in records:
        with gen5core.open(path) as file:
            stored = json.dumps([file.metadata, file.images[0].bytes.decode("latin-1")])
            assert [word for word in PRIVATE if word in stored] == []
            assert (file.comfyui or {})["workflow"] == {
                "nodes": [{"id": 1, "widgets_values": ["cat.png", "x.png", 3]}]
            }
            assert (file.model_name, file.tags) == ("sd.safetensors", ("tags", "cat"))
            assert "initial_noise" in file.latents
        left = [line for line in find_private(path) if not line.endswith("workflow'")]
        assert left == ["comfyui.workflow"]
    assert {"hardware_info.machine_name", "comfyui.client"} < set(scrubbed)
    assert (
        "comfyui.prompt.4.inputs.ckpt_name: '/home/anna/models/sd.safetensors' is now 'sd.safetensors'"
        in scrubbed
    )


@pytest.mark.parametrize("format", ["gen5+png", "png"])
def test_pngs(folder: Path, format: str) -> None:
    """The texts of the PNGs are the scrubbed graph, which ComfyUI opens."""
    choose(folder, Scrub=True)
    save(folder, format)
    for path in (folder / "output").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.text.keys() - {"Gen5"} == {"prompt", "workflow"}
            prompt = json.loads(picture.text["prompt"])
        assert (
            prompt["4"]["inputs"]["ckpt_name"],
            prompt["6"]["inputs"]["text"],
        ) == ("sd.safetensors", "a cat like cat.png")


@pytest.mark.parametrize("values", [{}, {"Scrub": False}])
def test_off_by_default(folder: Path, values: dict[str, Any]) -> None:
    """Without the setting everything is stored, and nothing is reported as left out."""
    choose(folder, **values)
    _, [record], scrubbed = save(folder, "gen5+png")
    assert scrubbed == []
    with gen5core.open(record) as file:
        assert (file.comfyui or {})["workflow"] == WORKFLOW
        assert file.model_name == "/home/anna/models/sd.safetensors"


def test_nothing_to_leave_out(folder: Path) -> None:
    """If only the machine's name is private, only that is left out."""
    choose(folder, Scrub=True)
    answer = Gen5Save().save("x", images=images(), prompt=txt2img(), unique_id="9")
    captured = gen5core.Environment.capture().hardware
    expected = ["hardware_info.machine_name"] if "machine_name" in captured else []
    assert answer["ui"]["gen5"][0]["scrubbed"] == expected


def test_what_is_left_out_is_listed_in_order(folder: Path) -> None:
    """The node lists in the order of the request's fields: graph, passes, models, tags, machine, prompt, model."""
    choose(folder, Scrub=True, MachineName=True)
    _, _, scrubbed = save(folder, "gen5")
    assert [line.split(":")[0] for line in scrubbed] == [
        "comfyui.client",
        "comfyui.prompt.4.inputs.ckpt_name",
        "comfyui.prompt.6.inputs.text",
        "comfyui.workflow.nodes[0].widgets_values[0]",
        "comfyui.workflow.nodes[0].widgets_values[1]",
        "capture.passes[0].positive",
        "capture.passes[0].model_name",
        "resources[0].name",
        "tags[0]",
        "hardware_info.machine_name",
        "prompt",
        "model_name",
    ]


def test_scrubbing_leaves_the_request_as_it_was() -> None:
    """Scrubbing returns a new request, in which whatever is not private is unchanged."""
    environment = gen5core.Environment.capture()
    noise = randn(1, 4, 4, 8)
    request = SaveRequest(
        latents={"initial_noise": noise},
        comfyui={"workflow": WORKFLOW, "client": HOST},
        capture={"noise_source": "none", "passes": []},
        resources=[],
        tags=["~anna/tags", "cat"],
        compression="none",
        signing_key=None,
        environment=environment,
        hardware={"machine_name": HOST},
        settings={"seed": 5},
        prompt="a cat",
        model_name="/home/anna/models/sd.safetensors",
    )
    before = deepcopy(request)
    cleaned, dropped = request.scrubbed()
    assert (request.comfyui, request.tags, request.hardware, request.model_name) == (
        before.comfyui,
        before.tags,
        before.hardware,
        before.model_name,
    )
    assert cleaned.latents["initial_noise"] is noise
    assert (cleaned.settings, cleaned.compression, cleaned.prompt) == ({"seed": 5}, "none", "a cat")
    assert (cleaned.tags, cleaned.hardware, cleaned.model_name) == (["tags", "cat"], {}, "sd.safetensors")
    assert "comfyui.client" in dropped
