"""What users meet: settings that connect, messages that say what to do, pictures that load."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import gen5core
from gen5core.environment.model_digests import digest_file

from .graph import Graph, Settings
from .graphs import txt2img
from .launcher import has_module
from .results import digests, sample
from .roundtrip import GEN5, OTHER_SEED, UNRECORDED, save
from .server import GraphError, Server

CORPUS = Path(__file__).parents[1] / "corpus" / "invalid"


def test_settings_connect_to_a_ksamplers_widgets(server: Server) -> None:
    """Every value of Gen5 Settings wired into a KSampler gives the saved result."""
    [saved] = save(server, txt2img(Settings(sampler_name="dpmpp_2m", scheduler="karras", seed=2**64 - 1)))
    graph = saved.graph.copy()
    file = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    node = graph.add("Gen5Settings", gen5=[file, GEN5])
    names = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
    graph.set(graph.samplers[0], **{name: [node, slot] for slot, name in enumerate(names)})
    assert saved.digests == digests(sample(server, graph))


def test_unknown_sampler_stops_only_what_needs_it(server: Server) -> None:
    """A sampler that this ComfyUI lacks stops only what is linked to it; the seed still works."""
    gen5core.save(
        server.input / "unknown.gen5",
        settings={"seed": 1, "steps": 4, "sampler": "dpmpp_2n", "scheduler": "normal"},
    )
    graph = Graph(Settings())
    file = graph.add("Gen5Load", file="unknown.gen5", on_drift="ignore")
    node = graph.add("Gen5Settings", gen5=[file, GEN5])
    seed, sampler = (graph.add("PreviewAny", source=[node, slot]) for slot in (0, 3))
    outputs = server.run(graph.nodes)
    assert seed in outputs
    assert sampler not in outputs


@pytest.mark.parametrize("name", sorted(json.loads((CORPUS / "expected.json").read_text())))
def test_damaged_file_shows_its_message(server: Server, name: str) -> None:
    """The message of each damaged file appears in ComfyUI's error dialog."""
    if name.startswith("SignatureError") and not has_module(server.install, "cryptography"):
        pytest.skip("without the package cryptography no signature is checked")
    expected = json.loads((CORPUS / "expected.json").read_text())[name]
    (server.input / "damaged").mkdir(exist_ok=True)
    (server.input / "damaged" / name).write_bytes((CORPUS / name).read_bytes())
    graph = Graph(Settings())
    file = graph.add("Gen5Load", file=f"damaged/{name}", on_drift="ignore")
    graph.add("Gen5Save", filename_prefix="never", latent=[file, 0], images=[file, 2])
    with pytest.raises(GraphError) as caught:
        server.run(graph.nodes)
    assert re.search(expected["message"], caught.value.node_message)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("gone.gen5", "gone.gen5 is not there; choose another file"),
        ("../secret.gen5", "leads out of the input folder; choose a file inside it"),
        ("gone.gen5 [output]", "is not there; choose another file"),
    ],
)
def test_missing_or_outside_file_is_refused(server: Server, file: str, message: str) -> None:
    """A missing file, or one outside the folder, is refused before anything runs, with the remedy."""
    graph = Graph(Settings())
    node = graph.add("Gen5Load", file=file, on_drift="warn")
    graph.digest([node, 0])
    with pytest.raises(GraphError) as caught:
        server.run(graph.nodes)
    assert message in caught.value.node_message


def test_saving_nothing_says_what_to_connect(server: Server) -> None:
    """Save Gen5 with nothing connected fails with the remedy and leaves no file."""
    graph = Graph(Settings())
    graph.add("Gen5Save", filename_prefix="nothing/x")
    with pytest.raises(GraphError) as caught:
        server.run(graph.nodes)
    assert "nothing to save: connect images, latent, or both" in caught.value.node_message
    assert not (server.output / "nothing").exists()


def test_file_without_picture_stops_only_what_needs_it(server: Server) -> None:
    """A file without a picture still gives its noise; what needs the picture is stopped with the reason."""
    [saved] = save(server, txt2img(Settings()), images_stored="none")
    graph = Graph(Settings())
    node = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    [record] = sample(server, graph, [node, 0])
    assert record["samples"]["shape"] == [1, 4, 8, 8]
    complete, blocked = graph.digest([node, 0]), graph.digest([node, 0], image=[node, 2])
    outputs = server.run(graph.nodes)
    assert complete in outputs
    assert blocked not in outputs


def test_drift_is_an_error_if_chosen(server: Server) -> None:
    """on_drift error stops with every difference; warn and ignore load."""
    with gen5core.open(save(server, txt2img(Settings()))[0].path) as file:
        stored = file.environment
        assert stored is not None
    other = gen5core.Environment(
        components=tuple(
            type(part)(part.component_id, part.canonical.replace("version=", "version=0."))
            for part in stored.components
        )
    )
    gen5core.save(
        server.input / "drifted.gen5", latents={"initial_noise": _noise()}, environment=other, hardware=None
    )
    graph = Graph(Settings())
    node = graph.add("Gen5Load", file="drifted.gen5", on_drift="warn")
    assert len(sample(server, graph, [node, 0])) == 1
    graph.set(node, on_drift="error")
    with pytest.raises(GraphError) as caught:
        sample(server, graph, [node, 0])
    assert (
        "Environment component 'numpy' differs:\n  File: name=numpy;version=0." in caught.value.node_message
    )


def test_replay_of_another_shape_says_what_to_do(server: Server) -> None:
    """If the sampler's latent has another size, the error has both shapes and the remedy."""
    [saved] = save(server, txt2img(Settings()))
    graph = txt2img(Settings(width=128))
    file = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    node = graph.add("Gen5Replay", model=graph.model, gen5=[file, GEN5])
    graph.set(graph.samplers[0], model=[node, 0])
    with pytest.raises(
        GraphError,
        match=re.escape("holds noise of shape [1, 4, 8, 8], but the sampler's latent is [1, 4, 8, 16]"),
    ):
        sample(server, graph)


def test_other_steps_and_prompt_keep_the_noise(server: Server) -> None:
    """More steps from the same noise are a legitimate use: they run, and give another result."""
    [saved] = save(server, txt2img(Settings()))
    graph = saved.graph.copy()
    file = graph.add("Gen5Load", file=saved.annotated, on_drift="error")
    node = graph.add("Gen5Replay", model=graph.model, gen5=[file, GEN5])
    graph.set(graph.samplers[0], model=[node, 0], steps=6, seed=OTHER_SEED)
    more = digests(sample(server, graph))
    graph.set(graph.samplers[0], seed=1)
    assert more == digests(sample(server, graph))
    assert saved.digests != more


def test_png_beside_is_what_save_image_writes(server: Server) -> None:
    """The PNG has Save Image's pixels, prompt and workflow; the picture in the file is the same."""
    graph = txt2img(Settings())
    images = graph.decode()
    ours = graph.add("Gen5Save", filename_prefix="beside/x", images=images, latent=graph.result)
    stock = graph.add("SaveImage", filename_prefix="stock/x", images=images)
    outputs = server.run(
        graph.nodes, {**UNRECORDED, "extra_pnginfo": {"workflow": {"nodes": [], "version": 0.4}}}
    )
    paths = [
        server.output / shown["subfolder"] / shown["filename"]
        for shown in (outputs[ours]["images"][0], outputs[stock]["images"][0])
    ]
    with Image.open(paths[0]) as one, Image.open(paths[1]) as other:
        assert other.tobytes() == one.tobytes()
        assert json.loads(other.text["workflow"]) == json.loads(one.text["workflow"])
        assert json.loads(other.text["prompt"]).keys() == json.loads(one.text["prompt"]).keys()
    summary = outputs[ours]["gen5"][0]
    with gen5core.open(server.output / summary["subfolder"] / summary["filename"]) as file:
        assert file.images[0].bytes == paths[0].read_bytes()


@pytest.mark.parametrize("kind", ["sampled", "full", "off"])
def test_models_are_fingerprinted(server: Server, kind: str) -> None:
    """A LoRA's file is named with its digest and size; another byte in it gives another digest."""
    path = server.folder / "models" / "loras" / "tiny.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    resources = []
    for value in (1.0, 2.0):
        save_file({"some.weight": np.full(64, value, np.float32)}, path)
        graph = txt2img(Settings())
        lora = graph.add("LoraLoaderModelOnly", model=graph.model, lora_name=path.name, strength_model=0.0)
        graph.set(graph.samplers[0], model=[lora, 0])
        [saved] = save(server, graph, record=False, fingerprint_models=kind)
        with gen5core.open(saved.path) as file:
            resources.append(next(entry for entry in file.resources if entry["kind"] == "lora"))
    assert {entry["name"] for entry in resources} == {"tiny.safetensors"}
    assert {entry["size_bytes"] for entry in resources} == {path.stat().st_size}
    if kind == "off":
        assert all("digest" not in entry for entry in resources)
        return
    assert resources[0]["digest"] != resources[1]["digest"]
    assert digest_file(path, kind) == resources[1]["digest"]


def test_disable_metadata_leaves_no_workflow(server: Server) -> None:
    """--disable-metadata keeps prompt and workflow out of the file and the PNG; the noise stays."""
    with server.restarted("--disable-metadata"):
        [saved] = save(server, txt2img(Settings()))
    with gen5core.open(saved.path) as file:
        assert file.comfyui is None
        assert "initial_noise" in file.latents
        with Image.open(io.BytesIO(file.images[0].bytes)) as image:
            assert image.text == {}


def _noise() -> object:
    return np.zeros((1, 4, 8, 8), np.float32)
