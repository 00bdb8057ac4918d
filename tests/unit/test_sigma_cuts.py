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
from hypothesis import given, settings
from hypothesis import strategies as st

from gen5core.graph.passes import noise_obstacle, sampler_passes
from gen5core.graph.sampler_pass import SamplerPass

STEPS = 20
Cut = tuple[float, int]
"""SplitSigmas' step, or SplitSigmasDenoise's denoise if it is a float, and which of its outputs is used; or FLIP."""
FLIP: Cut = (-1, 0)
SLOTS = st.sampled_from((0, 1))
CUTS = st.tuples(st.integers(0, STEPS + 5), SLOTS)
DENOISED = st.tuples(st.sampled_from((0.0, 0.02, 0.1, 0.25, 0.5, 0.9, 1.0)), SLOTS)
ANY_CHANGE = st.one_of(CUTS, DENOISED, st.just(FLIP))


def prompt_of(cuts: Sequence[Cut]) -> dict[str, Any]:
    """Return a prompt whose schedule of 20 steps goes through one node for each cut."""
    nodes, link = dict(custom_parts()), at("sigmas")
    for index, cut in enumerate(cuts):
        nodes[f"cut{index}"] = node_of(cut, link)
        link = at(f"cut{index}", cut[1])
    return base(**nodes, s=custom_advanced(sigmas=link))


def node_of(cut: Cut, link: list[Any]) -> dict[str, Any]:
    if cut == FLIP:
        return node("FlipSigmas", sigmas=link)
    if isinstance(cut[0], float):
        return node("SplitSigmasDenoise", sigmas=link, denoise=cut[0])
    return node("SplitSigmas", sigmas=link, step=cut[0])


def pass_of(prompt: dict[str, Any]) -> SamplerPass:
    [found] = sampler_passes(prompt, "s")
    assert (found.steps, found.unresolved) == (STEPS, ())
    return found


def sliced(cuts: Sequence[Cut]) -> list[int]:
    """Return the sigmas that are left, each as its index in the complete schedule."""
    places = list(range(STEPS + 1))
    for cut in cuts:
        step, slot = cut
        if cut == FLIP:
            places = places[::-1]
        elif isinstance(step, float):
            count = round(max(len(places) - 1, 0) * step)
            places = places[-(count + 1) :] if slot else places[:-count] if count else []
        else:
            places = places[int(step) :] if slot else places[: int(step) + 1]
    return places


def steps_of(found: SamplerPass) -> tuple[int, int]:
    """Return the first step of a pass, and the step before which it stops."""
    end = STEPS if found.end_step is None else min(found.end_step, STEPS)
    return found.start_step or 0, end


def check(cuts: Sequence[Cut]) -> None:
    found, left = pass_of(prompt_of(cuts)), sliced(cuts)
    if len(left) > 1:
        assert (steps_of(found), found.is_idle) == ((min(left), max(left)), False)
        assert ("flip_sigmas" in found.options) == (left[0] > left[-1])
    elif left:
        assert (steps_of(found), found.is_idle) == ((left[0], left[0]), left == [STEPS])
    else:
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


@settings(max_examples=400, deadline=None)
@given(st.lists(ANY_CHANGE, min_size=1, max_size=5))
def test_any_cuts_and_flips(cuts: list[Cut]) -> None:
    """A flipped schedule is cut from its other end, and a cut by denoise counts the steps that are left."""
    check(cuts)


@pytest.mark.parametrize(
    ("cuts", "steps"),
    [
        ([FLIP, (8, 0)], (12, 20)),
        ([FLIP, (8, 1)], (0, 12)),
        ([(8, 1), FLIP, (5, 0)], (15, 20)),
        ([(8, 0), FLIP, (5, 1)], (0, 3)),
        ([FLIP, (8, 0), FLIP, (5, 0)], (12, 17)),
    ],
)
def test_a_split_of_a_flipped_schedule(cuts: list[Cut], steps: tuple[int, int]) -> None:
    """The steps are those of the schedule as it was made, whichever way it is run."""
    assert steps_of(pass_of(prompt_of(cuts))) == steps
    check(cuts)


@pytest.mark.parametrize("cuts", [[(5, 0), (5, 1)], [(12, 1), (0, 0)], [(5, 0), (0.0, 1)]])
def test_a_single_sigma_adds_its_noise(cuts: list[Cut]) -> None:
    """A cut at the end of an earlier part leaves one sigma: no step is sampled, but the noise is added."""
    prompt = prompt_of(cuts)
    found = pass_of(prompt)
    assert not found.is_idle
    assert noise_obstacle(prompt, found) is None


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
