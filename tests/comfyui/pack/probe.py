"""TestProbe and TestStop: what reaches a sampler in the end, and a sampling that does not end well."""

from contextlib import contextmanager

import comfy.k_diffusion.sampling as factories
import comfy.model_management
import comfy.patcher_extension

from .report import describe

FACTORIES = ("default_noise_sampler", "BrownianTreeNoiseSampler")
ERRORS = {
    "error": lambda: RuntimeError("stopped on purpose"),
    "interrupt": comfy.model_management.InterruptProcessingException,
}


def around_sampler(model, key, wrapper):
    """Return a clone of a MODEL with wrapper around the sampler itself, within everything else."""
    clone = model.clone()
    clone.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.SAMPLER_SAMPLE, key, wrapper)
    return clone


@contextmanager
def noted_draws(draws):
    """Append what samplers get from the noise factories, as these are now, for a block."""
    found = {name: getattr(factories, name) for name in FACTORIES}
    try:
        for name, factory in found.items():
            setattr(factories, name, noting(factory, draws))
        yield
    finally:
        for name, factory in found.items():
            setattr(factories, name, factory)


def noting(factory, draws):
    def make(*args, **kwargs):
        sampler = factory(*args, **kwargs)

        def draw(*sigmas, **options):
            drawn = sampler(*sigmas, **options)
            draws.append(describe(drawn)["sha256"])
            return drawn

        return draw

    return make


class TestProbe:
    """The MODEL, and notes of what reaches its samplers: noise, sigmas, device, and every draw of step noise."""

    CATEGORY = "test"
    FUNCTION = "probe"
    RETURN_TYPES = ("MODEL", "PROBE")

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    def probe(self, model):
        notes = []

        def note(executor, model_wrap, sigmas, extra_args, callback, noise, *args, **kwargs):
            record = {
                "noise": describe(noise)["sha256"],
                "sigmas": sigmas.cpu().tolist(),
                "device": noise.device.type,
                "seed": str(extra_args.get("seed")),
                "steps": [],
            }
            notes.append(record)
            with noted_draws(record["steps"]):
                return executor(model_wrap, sigmas, extra_args, callback, noise, *args, **kwargs)

        return around_sampler(model, "test_probe", note), notes


class TestProbed:
    """What a probe noted by the time that the LATENT is there; one record a run, under ``probe``."""

    CATEGORY = "test"
    FUNCTION = "report"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"latent": ("LATENT",), "probe": ("PROBE",)}}

    def report(self, latent, probe):
        return {"ui": {"probe": list(probe)}}


class TestStop:
    """The MODEL whose sampling fails, or is interrupted, after a step."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "how": (list(ERRORS),), "step": ("INT", {"default": 1})}}

    def put(self, model, how, step):
        def stop(executor, model_wrap, sigmas, extra_args, callback, *args, **kwargs):
            def failing(number, *rest):
                if number >= step:
                    raise ERRORS[how]()

            return executor(model_wrap, sigmas, extra_args, failing, *args, **kwargs)

        return (around_sampler(model, "test_stop", stop),)
