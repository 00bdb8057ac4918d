"""``compare_files`` on unusual files: it finds every difference and never crashes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest

import gen5core
from gen5core.diff import Comparison, compare_files
from gen5core.rewrite.scrub import scrub

CORPUS = Path(__file__).parents[1] / "corpus" / "valid"


def compared(left: Path, right: Path) -> Comparison:
    with gen5core.open(left) as one, gen5core.open(right) as other:
        return compare_files(one, other)


def found(left: Path, right: Path) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.section, each.name, each.left, each.right) for each in compared(left, right).differences]


def saved(path: Path, **facts: Any) -> Path:
    return gen5core.save(path, **{"environment": None, "hardware": None} | facts)


def graphs(tmp_path: Path, left: Any, right: Any) -> list[tuple[str, str | None, str | None]]:
    """Return the differences between two files with these prompts, all of them in the graph."""
    paths = [
        saved(tmp_path / f"{number}.gen5", comfyui={"prompt": prompt})
        for number, prompt in enumerate((left, right))
    ]
    differences = found(paths[0], paths[1])
    assert {section for section, *_ in differences} == {"prompt graph"}
    return [tuple(rest) for _, *rest in differences]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (
            {"1": {"class_type": "KSampler", "inputs": {"class_type": "x"}}},
            {"1": {"class_type": "Other", "inputs": {"class_type": "x"}}},
            [("1.class_type", "KSampler", "Other")],
        ),
        (
            {"1": {"class_type": "A", "inputs": {"class_type": "x", "inputs": 1}}},
            {"1": {"class_type": "A", "inputs": {"class_type": "y", "inputs": 2}}},
            [("1.inputs.class_type", "x", "y"), ("1.inputs.inputs", "1", "2")],
        ),
        ({"1": {"inputs": [1]}}, {"1": {"inputs": [2]}}, [("1.inputs", "[1]", "[2]")]),
        (
            {"1": {"inputs": [1]}},
            {"1": {"inputs": {"seed": 1}}},
            [("1.inputs", "[1]", None), ("1.seed", None, "1")],
        ),
        (
            {"1": {"inputs": {"2.seed": 3}}, "1.2": {"inputs": {"seed": 4}}},
            {"1": {"inputs": {"2.seed": 4}}, "1.2": {"inputs": {"seed": 4}}},
            [("1.2.seed", "3", "4")],
        ),
        ({"1": "KSampler"}, {"1": 7}, [("1", "KSampler", "7")]),
        ([1], [2], [("all", "[1]", "[2]")]),
    ],
    ids=["class", "inputs of such names", "list", "list and inputs", "dots", "no node", "no graph"],
)
def test_no_part_of_a_graph_hides_another(
    tmp_path: Path, left: Any, right: Any, expected: list[tuple[str, str | None, str | None]]
) -> None:
    """Class, inputs and anything else are distinguished by their path, whatever their names."""
    assert graphs(tmp_path, left, right) == expected


def test_a_node_without_inputs_has_none(tmp_path: Path) -> None:
    """Missing inputs equal an empty mapping."""
    one = saved(tmp_path / "a.gen5", comfyui={"prompt": {"1": {"class_type": "A"}}})
    other = saved(tmp_path / "b.gen5", comfyui={"prompt": {"1": {"class_type": "A", "inputs": {}}}})
    assert found(one, other) == []


def test_state_of_a_model(tmp_path: Path) -> None:
    """Whether a model is known to be loaded is no difference; whether it was switched off is one."""
    lora = {"kind": "lora", "name": "a"}
    states = ("loaded", "named", "off")
    paths = [
        _forged(tmp_path / f"{state}.gen5", minor=1, resources=[{**lora, "state": state}]) for state in states
    ]
    assert found(paths[0], paths[1]) == []
    assert found(paths[1], paths[2]) == [("resources", "lora a", "{}", '{"state": "off"}')]


def test_resources_that_are_not_objects(tmp_path: Path) -> None:
    """A resource that is not an object is compared by its index."""
    paths = [
        _forged(tmp_path / f"{number}.gen5", minor=1, resources=resources)
        for number, resources in enumerate(([1, {"kind": "lora", "name": "a"}], [2]))
    ]
    assert found(paths[0], paths[1]) == [("resources", "0", "1", "2"), ("resources", "lora a", "{}", None)]
    assert found(paths[0], paths[0]) == []


def test_a_scrubbed_file_of_version_1_0_has_equal_latents(tmp_path: Path) -> None:
    """The only latent of version 1.0 counts as ``initial_noise``, which is its name in the scrubbed file."""
    old, new = CORPUS / "gen5-0.1.0_zstd_float32.gen5", tmp_path / "new.gen5"
    scrub(old, new)
    for left, right in ((old, new), (new, old), (old, old)):
        comparison = compared(left, right)
        assert comparison.differences == ()
        assert [name for section, name in comparison.equal if section == "latents"] == ["initial_noise"]


@pytest.mark.parametrize(
    ("left", "right", "differing", "equal"),
    [
        (["noise"], ["start"], [], ["initial_noise"]),
        (["noise"], ["noise", "last"], ["last"], ["noise"]),
        (["noise"], ["noise", "initial_noise"], ["noise"], ["initial_noise"]),
        (["noise", "last"], ["initial_noise"], ["noise", "last", "initial_noise"], []),
    ],
    ids=["only ones", "same name", "both names", "not the only one"],
)
def test_names_of_latents_of_version_1_0(
    tmp_path: Path, left: list[str], right: list[str], differing: list[str], equal: list[str]
) -> None:
    """A latent is only compared as ``initial_noise`` if both files have one."""
    one, other = _forged(tmp_path / "a.gen5", left), _forged(tmp_path / "b.gen5", right)
    comparison = compared(one, other)
    assert (differing, equal) == (
        [difference.name for difference in comparison.differences],
        [name for section, name in comparison.equal if section == "latents"],
    )


def _forged(path: Path, latents: Sequence[str] = (), *, minor: int = 0, **further: Any) -> Path:
    chunks = [forge.float32(name, [1.0, 2.0]) for name in latents]
    path.write_bytes(forge.build(chunks, minor=minor, edit=lambda document: {**document, **further}))
    return path


@pytest.mark.parametrize(
    ("left", "right", "dtype", "distance"),
    [
        ([1.0, 2.0**-1000], [1.0, 2.0**-999], "float64", 2.0**-1000),
        ([2**60], [2**60 + 1], "int64", 1.0),
        ([-(2**63)], [2**63 - 1], "int64", 2.0**64 - 1),
        ([0], [2**64 - 1], "uint64", 2.0**64 - 1),
        ([-128], [127], "int8", 255.0),
        ([True], [False], "bool", 1.0),
        ([1 + 1j], [1 + 4j], "complex64", 3.0),
        ([3j], [complex(-0.0, 3)], "complex128", 0.0),
    ],
)
def test_every_dtype_is_compared_bit_by_bit(
    tmp_path: Path, left: list[Any], right: list[Any], dtype: str, distance: float
) -> None:
    """A difference that float64 would round away is found too, and -0 differs from 0."""
    paths = [
        saved(tmp_path / f"{number}.gen5", latents={"a": np.array(values, dtype)})
        for number, values in enumerate((left, right))
    ]
    [difference] = compared(*paths).differences
    assert (difference.name, difference.left) == ("a", f"{dtype} [{len(left)}]")
    assert (difference.max_difference, difference.detail) == (distance, f"1 of {len(left)} values differ")


@pytest.mark.parametrize("dtype", ["float64", "complex128", "int64", "bool", "int16"])
def test_a_scrubbed_file_has_equal_values_of_every_dtype(tmp_path: Path, dtype: str) -> None:
    """Scrubbing keeps dtype and bits."""
    array = np.arange(6).reshape(2, 3).astype(dtype)
    original = saved(tmp_path / "a.gen5", latents={"a": array})
    scrub(original, tmp_path / "b.gen5")
    assert compared(original, tmp_path / "b.gen5").differences == ()
    with gen5core.open(tmp_path / "b.gen5") as file:
        assert (file.latents["a"].dtype, file.latents["a"].array().tobytes()) == (
            array.dtype,
            array.tobytes(),
        )
