"""Nodes that work out a setting as they run, a lazy switch, a blocker, and a list of what was executed."""

import functools
import itertools

import execution
from comfy_execution.graph import ExecutionBlocker

_drawn = itertools.count(1000)
_executed = []
"""Node id and class of every execution, until TestExecuted reports them."""


def _note_executions():
    original = execution.get_output_data

    @functools.wraps(original)
    async def noted(prompt_id, unique_id, obj, *args, **kwargs):
        node = obj if isinstance(obj, type) else type(obj)
        _executed.append([unique_id, node.__name__])
        return await original(prompt_id, unique_id, obj, *args, **kwargs)

    execution.get_output_data = noted


_note_executions()


class AnyType(str):
    """A type that every other equals, as packs declare it."""

    def __ne__(self, other):
        return False

    __hash__ = str.__hash__


class _Node:
    CATEGORY = "test"
    FUNCTION = "make"


class TestRandomSeed(_Node):
    """Another seed in each prompt: its IS_CHANGED is NaN."""

    RETURN_TYPES = ("INT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    @classmethod
    def IS_CHANGED(cls):
        return float("nan")

    def make(self):
        return (next(_drawn),)


class TestSum(_Node):
    """The sum of two numbers, whole and not, and a text of both."""

    RETURN_TYPES = ("INT", "FLOAT", "STRING")

    @classmethod
    def INPUT_TYPES(cls):
        number = ("FLOAT", {"default": 0.0})
        return {"required": {"a": number, "b": number}}

    def make(self, a, b):
        return int(a + b), float(a + b), f"{a} and {b}"


class TestSeeds(_Node):
    """A list of seeds, parted by commas; what is no number blocks its item."""

    OUTPUT_IS_LIST = (True,)
    RETURN_TYPES = ("INT",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seeds": ("STRING", {"default": "11,22,33"})}}

    def make(self, seeds):
        return ([int(text) if text.isdigit() else ExecutionBlocker(None) for text in seeds.split(",")],)


class TestLazySwitch(_Node):
    """One of two inputs of any type; the other one is not asked for."""

    RETURN_TYPES = (AnyType("*"),)

    @classmethod
    def INPUT_TYPES(cls):
        lazy = (AnyType("*"), {"lazy": True})
        return {"required": {"switch": ("BOOLEAN", {"default": True}), "on_false": lazy, "on_true": lazy}}

    def check_lazy_status(self, switch, on_false=None, on_true=None):
        return ["on_true" if switch else "on_false"]

    def make(self, switch, on_false=None, on_true=None):
        return (on_true if switch else on_false,)


class TestExecuted(_Node):
    """Reports, under ``executed``, every execution since the last report, its own left out."""

    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    @classmethod
    def IS_CHANGED(cls):
        return float("nan")

    def make(self):
        executed = [entry for entry in _executed if entry[1] != "TestExecuted"]
        _executed.clear()
        return {"ui": {"executed": executed}}


VALUE_NODES = [TestRandomSeed, TestSum, TestSeeds, TestLazySwitch, TestExecuted]
