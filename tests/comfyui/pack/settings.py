"""TestSetting: a MODEL that sets torch for the length of its sampling, as packs that make models faster do."""

import comfy.patcher_extension
import torch


class TestSetting:
    """The MODEL with cuDNN's benchmarking switched on as it is run, and off again afterwards."""

    CATEGORY = "test"
    FUNCTION = "put"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",)}}

    def put(self, model):
        kinds = comfy.patcher_extension.CallbacksMP
        clone = model.clone()
        clone.add_callback(kinds.ON_PRE_RUN, lambda _: set_benchmark(True))
        clone.add_callback(kinds.ON_CLEANUP, lambda _: set_benchmark(False))
        return (clone,)


def set_benchmark(value):
    torch.backends.cudnn.benchmark = value
