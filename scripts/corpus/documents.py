"""META outside the chunk table: keys that are missing, of the wrong type, or contradict the header."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .cases import DROP, MALFORMED, Case, edited


def document_cases() -> Iterator[Case]:
    """Yield the cases in the order of META's keys."""

    def case(why: str, message: str, *path: str, value: Any) -> Case:
        return Case(MALFORMED, why, message, edited(value, *path))

    info, model = ("gen5_metadata", "file_info"), ("gen5_metadata", "model_info")
    yield case("file_info_missing", r"file_info\.magic is None", *info, value=DROP)
    yield case("file_info_list", r"file_info is \[\], not an object", *info, value=[])
    for name, value in (
        ("magic", "GEN4"),
        ("version_major", 2),
        ("version_minor", 0),
        ("file_size", 1),
        ("chunk_count", 9),
    ):
        yield case(
            f"file_info_{name}",
            rf"file_info\.{name} is {value!r}, not .+ as in the header",
            *info,
            name,
            value=value,
        )
    yield case(
        "file_info_minor_true", r"file_info\.version_minor is True", *info, "version_minor", value=True
    )
    yield case(
        "file_info_minor_float", r"file_info\.version_minor is 1\.0", *info, "version_minor", value=1.0
    )
    yield case("model_info_list", r"model_info is \[1\], not an object", *model, value=[1])
    for name in ("model_name", "version", "date", "prompt"):
        yield case(f"{name}_number", rf"model_info\.{name} is 5, not a string", *model, name, value=5)
    yield case("tags_string", r"model_info\.tags is 'a', not a list", *model, "tags", value="a")
    yield case("tag_number", r"model_info\.tags\[1\] is 5, not a string", *model, "tags", value=["a", 5])
    for name in ("generation_settings", "hardware_info"):
        yield case(f"{name}_list", rf"{name} is \[\], not an object", *model, name, value=[])
    for name in ("comfyui", "capture"):
        yield case(f"{name}_list", rf"{name} is \['x'\], not an object", name, value=["x"])
    yield case("resources_object", r"resources is \{'x': 1\}, not a list", "resources", value={"x": 1})
    yield case("environment_list", r"environment is \[1\], not an object", "environment", value=[1])
    yield case("environment_entry", r"environment\.host is 5, not a string", "environment", value={"host": 5})
