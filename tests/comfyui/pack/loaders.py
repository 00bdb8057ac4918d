"""Loaders as packs have them, in no table of this project, and a switch that runs only the branch it needs."""

import json

import comfy.sd1_clip
import comfy.utils
import folder_paths
from comfy_execution.graph_utils import GraphBuilder

from .stand_ins import TinyClip, encode_text


def open_model(folder, name):
    """Find and read a model file as loaders do."""
    comfy.utils.load_torch_file(folder_paths.get_full_path_or_raise(folder, name))


class TestLoraStack:
    """A stack of LoRAs: rows in an object, rows in a JSON text, a numbered pair of widgets, and tags in a text."""

    CATEGORY = "test"
    FUNCTION = "load"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        loras = ["None", *folder_paths.get_filename_list("loras")]
        return {
            "required": {"model": ("MODEL",)},
            "optional": {
                "row": ("TEST_ROW",),
                "rows": ("STRING", {"default": "[]"}),
                "pack_item_1": (loras,),
                "pack_weight_1": ("FLOAT", {"default": 1.0}),
                "text": ("STRING", {"default": ""}),
            },
        }

    def load(self, model, row=None, rows="[]", pack_item_1="None", pack_weight_1=1.0, text=""):
        for one in [*([row] if row else []), *json.loads(rows)]:
            if one["on"] and one["strength"]:
                open_model("loras", one["lora"])
        if pack_item_1 != "None" and pack_weight_1:
            open_model("loras", pack_item_1)
        return (model,)


class TestLoaders:
    """Files of many kinds at once; nothing is done with them."""

    CATEGORY = "test"
    FUNCTION = "load"
    RETURN_TYPES = ("MODEL",)
    FOLDERS = ("vae", "controlnet", "upscale_models", "clip_vision", "hypernetworks", "gligen")

    @classmethod
    def INPUT_TYPES(cls):
        lists = {folder: (folder_paths.get_filename_list(folder),) for folder in cls.FOLDERS}
        return {"required": {"model": ("MODEL",)}, "optional": lists}

    def load(self, model, **names):
        for folder, name in names.items():
            open_model(folder, name)
        return (model,)


class TestLazyModel:
    """One of two models; only that one is loaded."""

    CATEGORY = "test"
    FUNCTION = "choose"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        lazy = ("MODEL", {"lazy": True})
        return {"required": {"first": ("BOOLEAN",), "on_true": lazy, "on_false": lazy}}

    def check_lazy_status(self, first, on_true=None, on_false=None):
        return ["on_true" if first else "on_false"]

    def choose(self, first, on_true=None, on_false=None):
        return (on_true if first else on_false,)


class TestExpandLora:
    """Becomes a stock LoRA loader as it runs."""

    CATEGORY = "test"
    FUNCTION = "expand"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"model": ("MODEL",), "number": ("INT",)}}

    def expand(self, model, number):
        name = folder_paths.get_filename_list("loras")[number]
        graph = GraphBuilder()
        node = graph.node("LoraLoaderModelOnly", model=model, lora_name=name, strength_model=1.0)
        return {"result": (node.out(0),), "expand": graph.finalize()}


class EmbeddingClip(TinyClip):
    """Tokenizes with ComfyUI's own tokenizer, which opens embeddings."""

    def tokenize(self, text, **_):
        folders = folder_paths.get_folder_paths("embeddings")
        comfy.sd1_clip.SDTokenizer(embedding_directory=folders).tokenize_with_weights(text)
        return text

    def encode_from_tokens_scheduled(self, tokens, **_):
        return encode_text(tokens)


class TestEmbeddingClip:
    """A CLIP without weights that opens embeddings."""

    CATEGORY = "test"
    FUNCTION = "make"
    RETURN_TYPES = ("CLIP",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def make(self):
        return (EmbeddingClip(),)


LOADER_NODES = [TestLoraStack, TestLoaders, TestLazyModel, TestExpandLora, TestEmbeddingClip]
