"""What the graph walk knows about a node class, as records: the vocabulary of the tables.

A *role* is what a value means to a sampler (``seed``, ``positive``, ``width`` …). The row of a class says which
input has each role. An input name that starts with ``@`` is a carrier: the role is looked up at the node
connected to it, so a guider, a pipe or a latent has the roles of whatever it carries.

    "KSampler"             seed: "seed"           a widget of the node
    "SamplerCustom…"       cfg: "@guider"         the cfg of the connected guider
    "SplitSigmas"          end_step: "@sigmas:start_step"    another role of the connected node

If there are several inputs the first one present counts, unless the rule says otherwise (``findings.RULES``).
An input name that ends in ``*`` means every input with that prefix, in the prompt's order (with ``@``, every
connected one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


def words(text: str) -> tuple[str, ...]:
    """Return the words of text: ``words("a b")`` is ``("a", "b")``."""
    return tuple(text.split())


MERGED_MODEL: Final = "merged_model"
"""The role of a model whose weights are merged into another: its LoRAs count, its settings do not."""
FILE_NOTES: Final = frozenset(words("lora lora_switches merged"))
GROUP: Final[Mapping[str, str]] = {
    **dict.fromkeys(("positive", "negative"), "conditioning"),
    **dict.fromkeys(("width", "height", "batch_size"), "size"),
    **dict.fromkeys(("steps", "scheduler", "denoise", "start_step", "end_step", "flipped"), "sigmas"),
    "sampled_by": "size",
    MERGED_MODEL: "model",
    "sampler_name": "sampler",
}
"""Role -> its group. A role that a row does not list is looked up under its group, then under ``*``."""
CARRIERS: Final = frozenset(
    words("model clip vae latent image pipe guider noise sigmas sampler conditioning high_sigmas low_sigmas")
)
"""Output slots that carry any role; other named slots hold one plain value."""
FILE_ROLES: Final = frozenset(("model", MERGED_MODEL, "vae", "clip"))
NO_FILE: Final = frozenset(("", "None", "none", "Baked VAE", "(use same)"))
"""Values that packs use for "no file" in a file widget."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Where a node class holds one role.

    Attributes
    ----------
    inputs : input names, carriers with ``@``; rules with fixed positions see a missing one as an empty finding
    rule : name of a function in ``findings.RULES`` or of a rule in ``findings.SWITCH_RULES``
    constant : the value, if the class itself gives it, e.g. ``"karras"``
    lora_inputs : carriers whose LoRAs are applied as well, e.g. a LoRA stack
    """

    inputs: tuple[str, ...] = ()
    rule: str = "first"
    constant: Any = None
    lora_inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth keeping that a node adds to the role that is followed through it.

    Attributes
    ----------
    on : the role, or the group, that it is added to; ``self`` for the sampler's own
    kind : ``option``, ``guidance``, ``no_guidance``, ``lora``, ``lora_switches`` (one dict per LoRA), ``merged``
        (a model), ``controlnet`` or ``replaces_noise``
    inputs : one input for an option; name and strength for a LoRA; ``{}`` is replaced with a row's number
    key : name of the option
    when : inputs that must have these values if they are present
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
    kind : ``sampler``, ``noise``, ``decoder``, ``audio_decoder``, ``pass`` (a reroute, switch or pipe, which makes
        nothing) or ``node``
    outputs : what each output slot holds, in order
    noise : for a sampler or noise class, why its starting noise is not ``comfy.sample.prepare_noise`` of
        its seed; empty if it is
    noise_changing_inputs : inputs that change the noise if they are connected
    guessed : whether the class has no row and its inputs were read by their names
    """

    roles: Mapping[str, Reads]
    kind: str = "node"
    outputs: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    noise: str = ""
    noise_changing_inputs: tuple[str, ...] = ()
    guessed: bool = False

    def reads(self, role: str) -> Reads | None:
        """Return where the class holds a role: listed by name, by group, or under ``*``; None if nowhere."""
        for name in (role, GROUP.get(role, role), "*"):
            if name in self.roles:
                return self.roles[name]
        return None


def row(roles: Roles | None = None, kind: str = "node", outputs: str = "", **extra: Any) -> NodeClass:
    """Return a NodeClass, given the tables' shorthand: a name or a tuple of names instead of Reads."""
    reads = {role: _reads(source) for role, source in (roles or {}).items()}
    return NodeClass(reads, kind, words(outputs), **extra)


def _reads(source: Source) -> Reads:
    if isinstance(source, Reads):
        return source
    return Reads((source,) if isinstance(source, str) else source)


def options(on: str, *inputs: str, **renamed: str) -> tuple[Note, ...]:
    """Return notes that keep inputs as options, under their own names or (``name="input"``) another."""
    named = {name: name for name in inputs} | renamed
    return tuple(Note(on, "option", (source,), key) for key, source in named.items())


def numbered(pattern: str, numbers: Sequence[int]) -> tuple[str, ...]:
    """Return numbered names: ``numbered("@input{}", range(1, 3))`` is ``("@input1", "@input2")``."""
    return tuple(pattern.format(number) for number in numbers)
