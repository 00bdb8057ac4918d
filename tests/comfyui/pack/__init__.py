"""Custom nodes for tests only: tiny seeded models, what goes with them, and nodes that report their inputs.

A graph made of these and stock samplers runs in milliseconds on a CPU and gives the same bits each time.
"""

from .bundles import BUNDLE_NODES
from .latents import TestBatchIndex, TestItems, TestLatent, TestList, TestMask, TestPrepareNoise
from .loaders import LOADER_NODES
from .model import TestModel
from .nested import NESTED_NODES
from .odd import TestKeys, TestKeysOf, TestOddLatent, TestOddSampler
from .other_inputs import OTHER_INPUTS
from .own_noise import TestDrawsAroundModel, TestOwnNoise, TestOwnSteps
from .probe import TestProbe, TestProbed, TestStop
from .repeated import TestExpand, TestTwice
from .report import TestDigest
from .settings import TestSetting
from .stand_ins import TestClip, TestConditioning, TestDecode, TestVae
from .values import VALUE_NODES

_NODES = [
    TestBatchIndex,
    TestClip,
    TestConditioning,
    TestDecode,
    TestDigest,
    TestDrawsAroundModel,
    TestExpand,
    TestItems,
    TestKeys,
    TestKeysOf,
    TestLatent,
    TestList,
    TestMask,
    TestModel,
    TestOddLatent,
    TestOddSampler,
    TestOwnNoise,
    TestOwnSteps,
    TestPrepareNoise,
    TestProbe,
    TestProbed,
    TestSetting,
    TestStop,
    TestTwice,
    TestVae,
    *BUNDLE_NODES,
    *LOADER_NODES,
    *NESTED_NODES,
    *OTHER_INPUTS,
    *VALUE_NODES,
]

NODE_CLASS_MAPPINGS = {node.__name__: node for node in _NODES}
