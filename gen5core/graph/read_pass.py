"""Read one sampler node, with everything connected to it, as a SamplerPass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .findings import EMPTY, Chain, Finding, as_bool, as_float, as_int, as_seed, as_size, as_text
from .prompt import Node
from .sampler_pass import SamplerPass
from .tables.schema import NO_FILE
from .walk import Query, Walker

TEXT_SEPARATOR: Final = "\n\n"
"""Separates the texts of one conditioning, which come from several encoders or from one with several texts."""
Coerce = Callable[[Any], Any]
FIELDS: Final[Mapping[str, tuple[str, Coerce]]] = {
    "seed": ("seed", as_seed),
    "steps": ("steps", as_int),
    "cfg": ("cfg", as_float),
    "sampler_name": ("sampler_name", as_text),
    "scheduler": ("scheduler", as_text),
    "denoise": ("denoise", as_float),
    "start_step": ("start_step", as_int),
    "end_step": ("end_step", as_int),
    "add_noise": ("add_noise", as_bool),
    "model_name": ("model", as_text),
    "vae_name": ("vae", as_text),
    "width": ("width", as_size),
    "height": ("height", as_size),
    "batch_size": ("batch_size", as_size),
}
"""Field of a SamplerPass -> its role in the tables, and the function that checks its value."""
NOTED_ROLES: Final = ("self", "sampler_name", "scheduler", "cfg", "model", "width", "positive")
"""Roles whose notes are read. If an option is noted twice, the later role wins; within one, the nearer node."""
HOOKED_ROLES: Final = ("positive", "negative", "clip")
"""Roles whose LoRAs are hooks, on a text or on its encoder; they are listed after the model's own."""
ROLES: Final = tuple(
    dict.fromkeys((*(role for role, _ in FIELDS.values()), "positive", "negative", "clip", *NOTED_ROLES))
)
"""Every role that a pass is read from."""
CONTROLNET_KEYS: Final = ("name", "strength", "start_percent", "end_percent")


@dataclass(slots=True)
class _Notes:
    """The notes of one role, in order from the far end of the graph to the sampler."""

    loras: tuple[tuple[str, float | None], ...] = ()
    controlnets: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    guidance: float | None = None
    unresolved: list[str] = field(default_factory=list)


class PassReader:
    """Reads the sampler nodes of one graph; what several of them share is evaluated once."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._texts: dict[Chain, tuple[str | None, bool]] = {}
        self._notes: dict[Chain, _Notes] = {}

    def read(self, node: Node, decoder: Finding | None) -> SamplerPass:
        """Return the pass of a sampler node; ``decoder`` is the VAE that decodes its latent, if any."""
        findings = {role: self._find(node, role) for role, _ in FIELDS.values()}
        if decoder is not None and findings["vae"].empty:
            findings["vae"] = decoder
        unresolved: list[str] = []
        fields = {
            name: _single(name, findings[role], coerce, unresolved) for name, (role, coerce) in FIELDS.items()
        }
        for name in ("positive", "negative"):
            fields[name] = self._joined(name, self._find(node, name), unresolved)
        fields["add_noise"] = fields["add_noise"] is not False
        clips = (name for name in self._find(node, "clip").values if isinstance(name, str))
        return SamplerPass(
            node_id=node.node_id,
            class_type=node.class_type,
            clip_names=tuple(clips),
            noise_from=self._noise_from(node) if fields["add_noise"] else None,
            **fields,
            **self._merge_notes(node, findings["cfg"], unresolved),
            unresolved=tuple(dict.fromkeys(unresolved)),
        )

    def _find(self, node: Node, role: str) -> Finding:
        return self._walker.find(Query(node.node_id, None, role))

    def _joined(self, name: str, finding: Finding, unresolved: list[str]) -> str | None:
        if finding.values not in self._texts:
            self._texts[finding.values] = _joined_texts(finding.values)
        text, is_complete = self._texts[finding.values]
        if finding.unresolved or not is_complete:
            unresolved.append(name)
        return text

    def _noise_from(self, node: Node) -> str | None:
        """Return the node that draws the noise: the one connected to a noise socket, or the sampler itself."""
        if "noise" not in node.node_class.roles:
            return node.node_id
        finding = self._find(node, "noise")
        return node.node_id if finding.empty and node.node_class.guessed else as_text(finding.value)

    def _merge_notes(self, node: Node, cfg: Finding, unresolved: list[str]) -> dict[str, Any]:
        """Return the LoRAs, guidance and options of all roles; what is unknown is added to ``unresolved``."""
        by_role = [self._collect(self._find(node, role).notes) for role in NOTED_ROLES]
        options: dict[str, Any] = {}
        if isinstance(cfg.value, list | tuple):
            options["cfg_schedule"] = list(cfg.value)
        for notes in by_role:
            options |= notes.options
            unresolved += notes.unresolved
        if controlnets := [each for notes in by_role for each in notes.controlnets]:
            options["controlnets"] = controlnets
        if self._find(node, "flipped").value is True:
            options["flip_sigmas"] = True
        guidances = [notes.guidance for notes in by_role if notes.guidance is not None]
        return {
            "loras": self._merge_loras(node, unresolved),
            "guidance": guidances[-1] if guidances else None,
            "options": options,
        }

    def _merge_loras(self, node: Node, unresolved: list[str]) -> tuple[tuple[str, float | None], ...]:
        """Return the LoRAs on the model, then those of hooks; a hook that several texts have is listed once."""
        own = [
            lora for role in ("self", "model") for lora in self._collect(self._find(node, role).notes).loras
        ]
        hooked: dict[tuple[str, float | None], None] = {}
        for role in HOOKED_ROLES:
            notes = self._collect(self._find(node, role).notes)
            hooked |= dict.fromkeys(notes.loras)
            unresolved += [name for name in notes.unresolved if name == "loras"]
        return (*own, *hooked)

    def _collect(self, notes: Chain) -> _Notes:
        if notes not in self._notes:
            self._notes[notes] = _collect(notes)
        return self._notes[notes]


def _single(name: str, finding: Finding, coerce: Coerce, unresolved: list[str]) -> Any:
    """Return the value of a field; one that exists but is not of the right kind is unresolved."""
    value = coerce(finding.value)
    is_schedule = name == "cfg" and isinstance(finding.value, list | tuple)
    if finding.unresolved or (value is None and finding.values is not EMPTY and not is_schedule):
        unresolved.append(name)
    return value


def _joined_texts(values: Iterable[Any]) -> tuple[str | None, bool]:
    """Return the texts joined without duplicates, None if there are none, and whether all values were texts."""
    given = list(values)
    texts = [text for text in given if isinstance(text, str)]
    joined = TEXT_SEPARATOR.join(dict.fromkeys(text for text in texts if text)) if texts else None
    return joined, len(texts) == len(given)


def _collect(notes: Chain) -> _Notes:
    collected = _Notes()
    loras: list[tuple[str, float | None]] = []
    merged: dict[str, None] = {}
    for kind, key, found in notes:
        if kind == "lora":
            _add_lora(loras, found, collected.unresolved)
        elif kind == "merged":
            merged |= dict.fromkeys(name for name in found[0].values if isinstance(name, str))
            collected.unresolved += ["merged_with"] * found[0].unresolved
        elif kind == "no_guidance":
            collected.guidance = None
        elif kind == "guidance":
            collected.guidance = _single("guidance", found[0], as_float, collected.unresolved)
        elif kind == "controlnet":
            collected.controlnets.append(_controlnet(found, collected.unresolved))
        elif kind == "option":
            collected.options[key] = _option(key, found, collected.unresolved)
    collected.loras = tuple(loras)
    if merged:
        collected.options["merged_with"] = list(merged) if len(merged) > 1 else next(iter(merged))
    return collected


def _add_lora(loras: list[tuple[str, float | None]], found: Sequence[Finding], unresolved: list[str]) -> None:
    name, strength = as_text(found[0].value), as_float(found[1].value)
    if name in NO_FILE:
        return
    if name is None or strength is None:
        unresolved.append("loras")
    if name is not None:
        loras.append((name, strength))


def _controlnet(found: Sequence[Finding], unresolved: list[str]) -> dict[str, Any]:
    if any(part.unresolved for part in found):
        unresolved.append("controlnets")
    return {
        key: part.value for key, part in zip(CONTROLNET_KEYS, found, strict=True) if part.values is not EMPTY
    }


def _option(key: str, found: Sequence[Finding], unresolved: list[str]) -> Any:
    """Return an option's value: a list if there are several, True for an option without an input."""
    if not found:
        return True
    if found[0].unresolved:
        unresolved.append(key)
    values = list(found[0].values)
    return values[0] if len(values) == 1 else values or None
