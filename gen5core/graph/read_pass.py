"""One sampler node and all that reaches it, as a SamplerPass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .findings import EMPTY, Chain, Finding, as_bool, as_float, as_int, as_seed, as_text
from .prompt import Node
from .sampler_pass import SamplerPass
from .tables.schema import NO_FILE
from .walk import Ask, Walker

TEXT_SEPARATOR: Final = "\n\n"
"""Between the texts of one conditioning: of several encoders, or the several texts of one."""
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
    "width": ("width", as_int),
    "height": ("height", as_int),
    "batch_size": ("batch_size", as_int),
}
"""Field of a SamplerPass -> its role in the tables, and what its value must be."""
NOTED: Final = ("self", "sampler_name", "scheduler", "cfg", "model", "width", "positive")
"""Roles on whose way things are noted. Of an option noted twice the later way counts, and the nearer node."""
CONTROLNET_KEYS: Final = ("name", "strength", "start_percent", "end_percent")


@dataclass(slots=True)
class _Noted:
    """What was noted on one way, in the order from its far end to the sampler."""

    loras: tuple[tuple[str, float | None], ...] = ()
    controlnets: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    guidance: float | None = None
    unresolved: list[str] = field(default_factory=list)


class PassReader:
    """Reads the sampler nodes of one graph; what several have in common is put together once."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._texts: dict[Chain, tuple[str | None, bool]] = {}
        self._notes: dict[Chain, _Noted] = {}

    def read(self, node: Node, decoder: Finding | None) -> SamplerPass:
        """The pass of a sampler node; ``decoder`` is the VAE that decodes its latent, where one does."""
        findings = {role: self._ask(node, role) for role, _ in FIELDS.values()}
        if decoder is not None and findings["vae"].empty:
            findings["vae"] = decoder
        unresolved: list[str] = []
        fields = {
            name: _single(name, findings[role], coerce, unresolved) for name, (role, coerce) in FIELDS.items()
        }
        for name in ("positive", "negative"):
            fields[name] = self._joined(name, self._ask(node, name), unresolved)
        fields["add_noise"] = fields["add_noise"] is not False
        clips = (name for name in self._ask(node, "clip").values if isinstance(name, str))
        return SamplerPass(
            node_id=node.node_id,
            class_type=node.class_type,
            clip_names=tuple(clips),
            noise_from=self._noise_from(node) if fields["add_noise"] else None,
            **fields,
            **self._noted(node, findings["cfg"], unresolved),
            unresolved=tuple(dict.fromkeys(unresolved)),
        )

    def _ask(self, node: Node, role: str) -> Finding:
        return self._walker.find(Ask(node.node_id, None, role))

    def _joined(self, name: str, finding: Finding, unresolved: list[str]) -> str | None:
        if finding.values not in self._texts:
            self._texts[finding.values] = _joined_texts(finding.values)
        text, whole = self._texts[finding.values]
        if finding.unresolved or not whole:
            unresolved.append(name)
        return text

    def _noise_from(self, node: Node) -> str | None:
        """The node that draws the noise: the one behind a noise socket, else the sampler itself."""
        if "noise" not in node.known.roles:
            return node.node_id
        finding = self._ask(node, "noise")
        return node.node_id if finding.empty and node.known.guessed else as_text(finding.value)

    def _noted(self, node: Node, cfg: Finding, unresolved: list[str]) -> dict[str, Any]:
        """LoRAs, guidance and options of all ways together. ``unresolved`` is added to."""
        ways = [self._told(self._ask(node, role).notes) for role in NOTED]
        options: dict[str, Any] = {}
        if isinstance(cfg.value, list | tuple):
            options["cfg_schedule"] = list(cfg.value)
        for way in ways:
            options |= way.options
            unresolved += way.unresolved
        if controlnets := [each for way in ways for each in way.controlnets]:
            options["controlnets"] = controlnets
        loras = [way.loras for way in ways if way.loras]
        guidances = [way.guidance for way in ways if way.guidance is not None]
        return {
            "loras": loras[0] if len(loras) == 1 else tuple(lora for way in loras for lora in way),
            "guidance": guidances[-1] if guidances else None,
            "options": options,
        }

    def _told(self, notes: Chain) -> _Noted:
        if notes not in self._notes:
            self._notes[notes] = _told(notes)
        return self._notes[notes]


def _single(name: str, finding: Finding, coerce: Coerce, unresolved: list[str]) -> Any:
    """One value; one that is there and cannot be read is unresolved."""
    value = coerce(finding.value)
    schedule = name == "cfg" and isinstance(finding.value, list | tuple)
    if finding.unresolved or (value is None and finding.values is not EMPTY and not schedule):
        unresolved.append(name)
    return value


def _joined_texts(values: Iterable[Any]) -> tuple[str | None, bool]:
    """Texts as one, each told once, and whether all of them were texts; None where there are none."""
    given = list(values)
    texts = [text for text in given if isinstance(text, str)]
    joined = TEXT_SEPARATOR.join(dict.fromkeys(text for text in texts if text)) if texts else None
    return joined, len(texts) == len(given)


def _told(notes: Chain) -> _Noted:
    told = _Noted()
    loras: list[tuple[str, float | None]] = []
    for kind, key, found in notes:
        if kind == "lora":
            _add_lora(loras, found, told.unresolved)
        elif kind == "guidance":
            told.guidance = _single("guidance", found[0], as_float, told.unresolved)
        elif kind == "controlnet":
            told.controlnets.append(_controlnet(found, told.unresolved))
        elif kind == "option":
            told.options[key] = _option(key, found, told.unresolved)
    told.loras = tuple(loras)
    return told


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
    """An option's value; texts or names that meet, as a list; of one without an input, the fact itself."""
    if not found:
        return True
    if found[0].unresolved:
        unresolved.append(key)
    values = list(found[0].values)
    return values[0] if len(values) == 1 else values or None
