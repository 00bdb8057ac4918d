"""Cuts through a schedule: the steps that a pass keeps, compared with list slices as ComfyUI makes them.

Source: comfy_extras/nodes_custom_sampler.py, SplitSigmas, SplitSigmasDenoise, FlipSigmas;
comfy/samplers.py, CFGGuider.sample: a schedule of no sigmas hands the latent on.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from graph_prompts import advanced, at, base, custom_advanced, custom_parts, node
from hypothesis import given
from hypothesis import strategies as st

from gen5core.graph.passes import noise_obstacle, sampler_passes
from gen5core.graph.sampler_pass import SamplerPass

STEPS = 20
Cut = tuple[int, int]
"""SplitSigmas' step, and which of its outputs is used."""
CUTS = st.tuples(st.integers(0, STEPS + 5), st.sampled_from((0, 1)))


def prompt_of(cuts: Sequence[Cut]) -> dict[str, Any]:
    """Return a prompt whose schedule of 20 steps goes through one SplitSigmas for each cut."""
    nodes, link = dict(custom_parts()), at("sigmas")
    for index, (step, slot) in enumerate(cuts):
        nodes[f"cut{index}"] = node("SplitSigmas", sigmas=link, step=step)
        link = at(f"cut{index}", slot)
    return base(**nodes, s=custom_advanced(sigmas=link))


def pass_of(prompt: dict[str, Any]) -> SamplerPass:
    [found] = sampler_passes(prompt, "s")
    assert (found.steps, found.unresolved) == (STEPS, ())
    return found


def sliced(cuts: Sequence[Cut]) -> list[int]:
    """Return the sigmas that are left, each as its index in the complete schedule."""
    places = list(range(STEPS + 1))
    for step, slot in cuts:
        places = places[step:] if slot else places[: step + 1]
    return places


def steps_of(found: SamplerPass) -> tuple[int, int]:
    """Return the first step of a pass, and the step before which it stops."""
    end = STEPS if found.end_step is None else min(found.end_step, STEPS)
    return found.start_step or 0, end


def check(cuts: Sequence[Cut]) -> None:
    found, left = pass_of(prompt_of(cuts)), sliced(cuts)
    if len(left) > 1:
        assert (steps_of(found), found.is_idle) == ((left[0], left[-1]), False)
    elif not left:
        assert found.is_idle


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("step", [0, 1, STEPS - 1, STEPS, STEPS + 1, 10_000])
def test_one_cut(step: int, slot: int) -> None:
    """A cut within the schedule, at its end or beyond it keeps what the slice keeps."""
    check([(step, slot)])


@pytest.mark.parametrize("slots", list(itertools.product((0, 1), repeat=2)))
@pytest.mark.parametrize("inner", [0, 4, 5, 6, 15, 16, 10_000])
def test_cut_of_a_cut(inner: int, slots: tuple[int, int]) -> None:
    """A second cut counts from where the first one's part starts, and does not make that part longer."""
    check([(5, slots[0]), (inner, slots[1])])


@given(st.lists(CUTS, min_size=1, max_size=4))
def test_any_cuts(cuts: list[Cut]) -> None:
    """However many cuts follow one another, the steps are those of the slices."""
    check(cuts)


def test_first_part_of_a_cut_beyond_the_end() -> None:
    """The part before a cut beyond the end of an earlier part ends where that part does."""
    found = pass_of(prompt_of([(5, 0), (9, 0)]))
    assert (found.start_step, found.end_step, found.is_idle) == (None, 5, False)


def test_second_part_of_a_cut_beyond_the_end() -> None:
    """After a cut beyond the end no sigma is left: the pass is idle and has no noise."""
    prompt = prompt_of([(STEPS + 1, 1)])
    found = pass_of(prompt)
    assert found.is_idle
    assert "samples nothing" in str(noise_obstacle(prompt, found))


# SplitSigmasDenoise; its sigmas[:-0] is an empty slice


def denoised(denoise: float, slot: int, *, flipped: bool = False) -> dict[str, Any]:
    parts = {**custom_parts(), "cut": node("SplitSigmasDenoise", sigmas=at("sigmas"), denoise=denoise)}
    link = at("cut", slot)
    if flipped:
        parts["flip"], link = node("FlipSigmas", sigmas=link), at("flip")
    return base(**parts, s=custom_advanced(sigmas=link))


@pytest.mark.parametrize("denoise", [0.0, 0.02, 0.03, 0.4, 0.97, 0.99, 1.0])
def test_both_parts_of_a_cut_by_denoise(denoise: float) -> None:
    """Both parts of SplitSigmasDenoise have the steps of ComfyUI's slices; too low a denoise empties both."""
    places = list(range(STEPS + 1))
    count = round(STEPS * denoise)
    for slot, left in enumerate((places[:-count] if count else [], places[-(count + 1) :])):
        found = pass_of(denoised(denoise, slot))
        if len(left) > 1:
            assert (steps_of(found), found.is_idle) == ((left[0], left[-1]), False)
        elif not left or left == [STEPS]:
            assert found.is_idle


@pytest.mark.parametrize("slot", [0, 1])
def test_flipped_part_without_steps(slot: int) -> None:
    """FlipSigmas keeps the number of steps of a part, also if there are none."""
    assert pass_of(denoised(0.0, slot, flipped=True)).is_idle
    assert steps_of(pass_of(denoised(0.4, slot, flipped=True))) == ((0, 12), (12, 20))[slot]


# KSamplerAdvanced has a start and an end step of its own


@pytest.mark.parametrize(
    ("start", "end", "is_idle"),
    [
        (0, 10_000, False),
        (19, 20, False),
        (20, 10_000, True),
        (7, 7, True),
        (8, 7, True),
        (10_000, 10_000, True),
    ],
)
def test_steps_of_a_ksampler_beyond_the_end(start: int, end: int, is_idle: bool) -> None:
    """KSamplerAdvanced samples nothing from its last step on, or from its end step on."""
    prompt = base(s=advanced(start_at_step=start, end_at_step=end))
    assert pass_of(prompt).is_idle == is_idle
