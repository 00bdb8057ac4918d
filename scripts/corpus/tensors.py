"""Rows of latents whose facts about the tensor are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import forge
from forge import Chunk

from .cases import DROP, MALFORMED, NOISE, Case


def _value_dtype_cases(case: Callable[..., Case]) -> Iterator[Case]:
    """Yield cases of a latent of 4 values of float32 that says it holds another dtype."""
    unknown = r"extra\.value_dtype is '{}', not one that is stored as float32, without an orig_dtype"
    for why, name in (("unknown", "float128"), ("of_float16", "int8"), ("of_orig_dtype", "bfloat16")):
        yield case(f"value_dtype_{why}", unknown.format(name), value_dtype=name)
    yield case("value_dtype_number", r"extra\.value_dtype is 8, not a string", value_dtype=8)
    yield case(
        "value_dtype_and_orig_dtype",
        r"extra\.value_dtype is 'int16'",
        value_dtype="int16",
        orig_dtype="bfloat16",
    )
    yield case(
        "value_dtype_words",
        r"a value of complex128 takes 4 words, so its shape cannot end otherwise: \[2, 2\]",
        value_dtype="complex128",
        shape=[2, 2],
    )
    yield case(
        "value_dtype_without_axis",
        r"a value of int32 takes 1 words, so its shape cannot end otherwise: \[4\]",
        value_dtype="int32",
        shape=[4],
    )


def tensor_cases() -> Iterator[Case]:
    """Yield cases of one latent, then of several latents with one name."""

    def case(why: str, message: str, **extra: Any) -> Case:
        facts = {name: value for name, value in {**NOISE.extra, **extra}.items() if value is not DROP}
        chunk = Chunk("LATN", "F32", NOISE.payload, facts)
        return Case(MALFORMED, f"tensor_{why}", message, forge.build([chunk]))

    huge = 2**32 - 1
    flags = Chunk("LATN", "F64", NOISE.payload, NOISE.extra)
    yield Case(MALFORMED, "tensor_flags", r"its flags are 'F64'", forge.build([flags]))
    yield case("shape_missing", r"extra\.shape is None, not a list", shape=DROP)
    yield case("shape_number", r"extra\.shape is 4, not a list", shape=4)
    yield case("shape_33_dimensions", r"not a list of at most 32 sizes, it has 33", shape=[1] * 33)
    yield case("shape_negative", r"extra\.shape\[0\] is -2, not an integer from 0", shape=[-2, -2])
    yield case("shape_bool", r"extra\.shape\[0\] is True, not an integer from 0", shape=[True, 4])
    yield case("shape_float", r"extra\.shape\[0\] is 4\.0, not an integer from 0", shape=[4.0])
    yield case(
        "shape_huge", r"extra\.shape\[0\] is 4294967296, not an integer from 0 to 4294967295", shape=[2**32]
    )
    yield case("shape_product", r"float32 of shape \[5\] takes 20 bytes, the table says 16", shape=[5])
    yield case("shape_product_wraps", r"has more elements than a file can hold", shape=[2**31, 2**31, 4])
    yield case("shape_product_of_zero", r"has more elements than a file can hold", shape=[0, huge, huge])
    yield case("key_number", r"extra\.key is 5, not a string", key=5)
    yield case("part_string", r"extra\.part is '0', not an integer", part="0")
    yield case("part_bool", r"extra\.part is True, not an integer", part=True)
    yield case("part_alone", r"their parts are \[1\]", part=1)
    yield case(
        "orig_dtype_unknown",
        r"extra\.orig_dtype is 'int8', not one that is stored as float32",
        orig_dtype="int8",
    )
    yield case(
        "orig_dtype_of_float16", r"extra\.orig_dtype is 'float8_e5m2', not one", orig_dtype="float8_e5m2"
    )
    yield case("orig_dtype_list", r"extra\.orig_dtype is \[\], not a string", orig_dtype=[])
    yield from _value_dtype_cases(case)
    yield Case(
        MALFORMED,
        "tensor_name_twice",
        r"2 latents are named 'initial_noise', and their parts are \[None, None\]",
        forge.build([NOISE, NOISE]),
    )
    for why, parts in (("gap", [0, 2]), ("order", [1, 0]), ("twice", [0, 0]), ("half_named", [0, None])):
        chunks = [forge.float32("a", [1, 2], **({} if part is None else {"part": part})) for part in parts]
        yield Case(
            MALFORMED,
            f"tensor_parts_{why}",
            r"2 latents are named 'a', and their parts are",
            forge.build(chunks),
        )
