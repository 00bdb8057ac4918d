"""Graphs in API form over the test pack's models and ComfyUI's own samplers, for tests to extend.

    graph = txt2img(Settings(kind="flow", seed=7))
    graph.add("Gen5Save", latent=graph.result, images=graph.decode())
    server.run(graph.nodes)

Each graph has a model of its own ``nonce``, so that nothing of it is cached from another; run the same
graph twice, or a copy, to have ComfyUI take from its cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from .graph import Graph, Link, Settings

POSITIVE = "a lighthouse"
NEGATIVE = "fog"
EMPTY_LATENTS = {
    "eps": "EmptyLatentImage",
    "v": "EmptyLatentImage",
    "flow": "EmptySD3LatentImage",
    "flow5d": "EmptyHunyuanLatentVideo",
}
KINDS = tuple(EMPTY_LATENTS)
FRAMES = 5
"""Of a video; in the latent, two."""
NESTED_SHAPES = "1,16,2,4,4;1,8,4,16"

_nonces = itertools.count(1)


def base(settings: Settings, model_seed: int = 0) -> Graph:
    """Return a graph with a model and two texts, encoded by the stock CLIPTextEncode."""
    graph = Graph(settings)
    graph.model = tiny_model(graph, seed=model_seed)
    clip = [graph.add("TestClip"), 0]
    graph.positive = [graph.add("CLIPTextEncode", text=POSITIVE, clip=clip), 0]
    graph.negative = [graph.add("CLIPTextEncode", text=NEGATIVE, clip=clip), 0]
    return graph


def tiny_model(graph: Graph, *, seed: int = 0, flip_bit: bool = False) -> Link:
    """Add a model that is not cached from another graph."""
    kind = graph.settings.kind
    return [graph.add("TestModel", kind=kind, seed=seed, flip_bit=flip_bit, nonce=next(_nonces)), 0]


def empty_latent(graph: Graph) -> Link:
    """Add the stock node that makes an empty latent for the graph's kind of model."""
    settings = graph.settings
    if settings.kind == "nested":
        return [graph.add("TestNested", shapes=NESTED_SHAPES), 0]
    size = {"width": settings.width, "height": settings.height, "batch_size": settings.batch_size}
    if settings.kind == "flow5d":
        size["length"] = FRAMES
    return [graph.add(EMPTY_LATENTS[settings.kind], **size), 0]


def encoded_latent(graph: Graph, seed: int = 99) -> Link:
    """Add a latent like that of an encoded picture: seeded values, no zeros."""
    shape = ",".join(map(str, graph.settings.shape()))
    return [graph.add("TestLatent", shape=shape, dtype="float32", seed=seed), 0]


def add_ksampler(graph: Graph, latent: Link, denoise: float = 1.0) -> Link:
    """Add a KSampler on latent and make its LATENT the result."""
    settings = graph.settings
    node = graph.add(
        "KSampler",
        model=graph.model,
        seed=settings.seed,
        steps=settings.steps,
        cfg=settings.cfg,
        sampler_name=settings.sampler_name,
        scheduler=settings.scheduler,
        positive=graph.positive,
        negative=graph.negative,
        latent_image=latent,
        denoise=denoise,
    )
    return _finish(graph, node, seeded=(node, "seed"))


def add_ksampler_advanced(graph: Graph, latent: Link, start: int, end: int, *, first: bool) -> Link:
    """Add a KSamplerAdvanced for the steps start to end; the first adds noise and leaves leftover noise."""
    settings = graph.settings
    node = graph.add(
        "KSamplerAdvanced",
        model=graph.model,
        add_noise="enable" if first else "disable",
        noise_seed=settings.seed,
        steps=settings.steps,
        cfg=settings.cfg,
        sampler_name=settings.sampler_name,
        scheduler=settings.scheduler,
        positive=graph.positive,
        negative=graph.negative,
        latent_image=latent,
        start_at_step=start,
        end_at_step=end,
        return_with_leftover_noise="enable" if first else "disable",
    )
    return _finish(graph, node, seeded=(node, "noise_seed"))


def _finish(graph: Graph, node: str, seeded: tuple[str, str]) -> Link:
    if not graph.samplers:
        first_latent = graph.nodes[node]["inputs"]["latent_image"]
        graph.start = list(first_latent)
    graph.samplers.append(node)
    graph.seeded.append(seeded)
    graph.result = [node, 0]
    return graph.result


def txt2img(settings: Settings) -> Graph:
    """One KSampler from an empty latent: a batch, or a video, as the settings say."""
    graph = base(settings)
    add_ksampler(graph, empty_latent(graph))
    return graph


def img2img(settings: Settings) -> Graph:
    """One KSampler at denoise 0.5 from an encoded latent."""
    graph = base(settings)
    add_ksampler(graph, encoded_latent(graph), denoise=0.5)
    return graph


def inpaint(settings: Settings) -> Graph:
    """One KSampler from an encoded latent whose left half is masked for sampling."""
    graph = base(settings)
    add_ksampler(graph, [graph.add("TestMask", latent=encoded_latent(graph)), 0])
    return graph


def split(settings: Settings) -> Graph:
    """Two KSamplerAdvanced on one model: half of the steps each."""
    graph = base(settings)
    half = settings.steps // 2
    leftover = add_ksampler_advanced(graph, empty_latent(graph), 0, half, first=True)
    add_ksampler_advanced(graph, leftover, half, 10_000, first=False)
    return graph


def base_and_refiner(settings: Settings) -> Graph:
    """Two KSamplerAdvanced, the second on another model; ``graph.model`` is the first one's."""
    graph = split(settings)
    graph.set(graph.samplers[1], model=tiny_model(graph, seed=1))
    return graph


def hires(settings: Settings) -> Graph:
    """A KSampler, its latent upscaled, and a second KSampler at denoise 0.6."""
    graph = base(settings)
    small = add_ksampler(graph, empty_latent(graph))
    upscale = graph.add("LatentUpscaleBy", samples=small, upscale_method="nearest-exact", scale_by=1.5)
    add_ksampler(graph, [upscale, 0], denoise=0.6)
    return graph


def list_mapped(settings: Settings) -> Graph:
    """One KSampler that runs three times: a list of latents of two sizes, each with its own seed."""
    graph = base(settings)
    batch, channels, *size = settings.shape()
    wide = [*size[:-1], size[-1] * 2]
    shapes = [(batch, channels, *side) for side in (size, size, wide)]
    text = ";".join(",".join(map(str, shape)) for shape in shapes)
    source = graph.add("TestList", shapes=text, seed=settings.seed)
    add_ksampler(graph, [source, 0])
    graph.set(graph.samplers[0], seed=[source, 1])
    graph.seeded = [(source, "seed")]
    return graph


def sampler_custom(settings: Settings) -> Graph:
    """One SamplerCustom."""
    graph = base(settings)
    node = graph.add(
        "SamplerCustom",
        model=graph.model,
        add_noise=True,
        noise_seed=settings.seed,
        cfg=settings.cfg,
        positive=graph.positive,
        negative=graph.negative,
        sampler=_sampler(graph),
        sigmas=_sigmas(graph),
        latent_image=empty_latent(graph),
    )
    _finish(graph, node, seeded=(node, "noise_seed"))
    return graph


def sampler_custom_advanced(settings: Settings) -> Graph:
    """One SamplerCustomAdvanced with a CFGGuider."""
    graph = base(settings)
    texts = {"positive": graph.positive, "negative": graph.negative}
    guider = graph.add("CFGGuider", model=graph.model, cfg=settings.cfg, **texts)
    return _advanced(graph, [guider, 0])


def sampler_custom_advanced_basic(settings: Settings) -> Graph:
    """One SamplerCustomAdvanced with a BasicGuider: no cfg, no negative."""
    graph = base(settings)
    guider = graph.add("BasicGuider", model=graph.model, conditioning=graph.positive)
    return _advanced(graph, [guider, 0])


def _advanced(graph: Graph, guider: Link) -> Graph:
    noise = graph.add("RandomNoise", noise_seed=graph.settings.seed)
    node = graph.add(
        "SamplerCustomAdvanced",
        noise=[noise, 0],
        guider=guider,
        sampler=_sampler(graph),
        sigmas=_sigmas(graph),
        latent_image=empty_latent(graph),
    )
    _finish(graph, node, seeded=(noise, "noise_seed"))
    return graph


def _sampler(graph: Graph) -> Link:
    return [graph.add("KSamplerSelect", sampler_name=graph.settings.sampler_name), 0]


def _sigmas(graph: Graph) -> Link:
    settings = graph.settings
    steps = {"scheduler": settings.scheduler, "steps": settings.steps, "denoise": 1.0}
    return [graph.add("BasicScheduler", model=graph.model, **steps), 0]


BUILDERS: dict[str, Callable[[Settings], Graph]] = {
    builder.__name__: builder
    for builder in (
        txt2img,
        img2img,
        inpaint,
        split,
        base_and_refiner,
        hires,
        list_mapped,
        sampler_custom,
        sampler_custom_advanced,
        sampler_custom_advanced_basic,
    )
}
