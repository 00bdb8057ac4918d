"""What the graph walk knows of a node class, as records: the vocabulary of the tables.

A *role* is what a value means to a sampler (``seed``, ``positive``, ``width`` …). A class says for each
role in which of its inputs the answer stands. An input name with ``@`` before it is a carrier: the same
role is asked of the node behind it, so a guider, a pipe or a latent answers for whatever it carries.

    "KSampler"             seed: "seed"           the widget holds it
    "SamplerCustom…"       cfg: "@guider"         the guider knows it
    "SplitSigmas"          end_step: "@sigmas:start_step"    another role is asked there

Of several inputs the first one present counts, unless the rule says otherwise (``findings.RULES``).
An input name that ends in ``*`` stands for every input that begins so, in the prompt's order (with ``@``, for
every connected one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


def words(text: str) -> tuple[str, ...]:
    """``words("a b")`` is ``("a", "b")``: lists of names, short enough to read."""
    return tuple(text.split())


GROUP: Final[Mapping[str, str]] = {
    **dict.fromkeys(("positive", "negative"), "conditioning"),
    **dict.fromkeys(("width", "height", "batch_size"), "size"),
    **dict.fromkeys(("steps", "scheduler", "denoise", "start_step", "end_step"), "sigmas"),
    "sampler_name": "sampler",
}
"""A role that a class does not list is looked up under its group, then under ``*``."""
CARRIERS: Final = frozenset(
    words("model clip vae latent image pipe guider noise sigmas sampler conditioning high_sigmas low_sigmas")
)
"""Output slots that carry whatever role was asked; any other named slot holds one plain value."""
FILE_ROLES: Final = frozenset(("model", "vae", "clip"))
NO_FILE: Final = frozenset(("", "None", "none", "Baked VAE", "(use same)"))
"""What packs write into a file widget that names no file."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Where a class holds one role.

    Attributes
    ----------
    inputs : input names, ``@`` before a carrier; a missing one stays as an empty place
    rule : name of a function in ``findings.RULES``
    says : the class itself is the answer, e.g. ``"karras"``
    also : carriers whose LoRAs count as well, e.g. a LoRA stack
    """

    inputs: tuple[str, ...] = ()
    rule: str = "first"
    says: Any = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth keeping that a class adds while a role is followed through it.

    Attributes
    ----------
    on : the role (or its group) on whose way it counts; ``self`` for the sampler's own
    kind : ``option``, ``guidance``, ``lora``, ``lora_switches`` (one dict a LoRA), ``controlnet`` or
        ``replaces_noise``
    inputs : one input for an option; name and strength for a LoRA; ``{}`` stands for a row's number
    key : name of the option
    when : inputs that must have these values, where they are present
    count : input that says how many rows are used
    """

    on: str
    kind: str
    inputs: tuple[str, ...] = ()
    key: str = ""
    when: tuple[tuple[str, Any], ...] = ()
    count: str = ""


Source = str | tuple[str, ...] | Reads
Roles = Mapping[str, Source]
"""The tables' shorthand: role -> input, inputs, or Reads."""


@dataclass(frozen=True, slots=True)
class NodeClass:
    """One row of the table.

    Attributes
    ----------
    kind : ``sampler``, ``noise``, ``pass`` (a reroute, switch or pipe: nothing of its own) or ``node``
    outputs : what each output slot holds, in order
    noise : for a sampler or noise class, why its starting noise is not ``comfy.sample.prepare_noise`` of
        its seed; empty when it is
    noise_changing_inputs : inputs that, once connected, make it so
    guessed : no row of its own: read by the names of its inputs
    """

    roles: Mapping[str, Reads]
    kind: str = "node"
    outputs: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    noise: str = ""
    noise_changing_inputs: tuple[str, ...] = ()
    guessed: bool = False

    def reads(self, role: str) -> Reads | None:
        """Where the role stands, by its own name, its group's, or as one of all."""
        for name in (role, GROUP.get(role, role), "*"):
            if name in self.roles:
                return self.roles[name]
        return None


def row(roles: Roles | None = None, kind: str = "node", outputs: str = "", **extra: Any) -> NodeClass:
    """Build a NodeClass from the tables' shorthand: a bare name or a tuple of names for Reads."""
    reads = {role: _reads(source) for role, source in (roles or {}).items()}
    return NodeClass(reads, kind, words(outputs), **extra)


def _reads(source: Source) -> Reads:
    if isinstance(source, Reads):
        return source
    return Reads((source,) if isinstance(source, str) else source)


def options(on: str, *inputs: str, **renamed: str) -> tuple[Note, ...]:
    """Notes that keep inputs as options, under their own names or (``name="input"``) under another."""
    named = {name: name for name in inputs} | renamed
    return tuple(Note(on, "option", (source,), key) for key, source in named.items())


def numbered(pattern: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """``numbered("@input{}", range(1, 3))`` is ``("@input1", "@input2")``."""
    return tuple(pattern.format(number) for number in numbers)
