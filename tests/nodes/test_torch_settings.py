"""Torch's settings during sampling: recorded in the run, stored in the pass, and reported if a replay's differ."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forge
import pytest
import torch
from gen5pack import gen5core
from gen5pack.gen5core.environment.components import live_settings
from gen5pack.nodes import host
from gen5pack.nodes.determinism import sample_deterministically
from gen5pack.nodes.record import Gen5Record
from gen5pack.nodes.replay import Gen5Replay
from gen5pack.nodes.sampling.overrides import record_torch_settings
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import StoredFile, open_stored
from runs import Wrapper, randn, replaying, run, txt2img

NOISE = randn(1, 4, 4, 8)
ON = "name=deterministic_algorithms;enabled=True;warn_only=False"
OFF = "name=deterministic_algorithms;enabled=False;warn_only=False"
NAME = "deterministic_algorithms"


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what deterministic algorithms need on a machine with CUDA."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def sampler(got: dict[str, Any]) -> torch.Tensor:
    """Sample as ComfyUI does, with the wrapper around the sampler itself that records torch's settings."""
    made: torch.Tensor = record_torch_settings(lambda guider: got["noise"] * 0.5, got["guider"])
    return made


def saved(*wrappers: Wrapper) -> StoredFile:
    """Return the file of a run recorded with these wrappers; None marks the recorder's position."""
    recording = Recording()
    chain = [wrapper or SamplingRecorder(recording) for wrapper in wrappers]
    result, _ = run(chain, NOISE, seed=5, compute=sampler)
    inputs = {"latent": {"samples": result}, "recording": recording}
    stored: StoredFile = Gen5Save().save("x", prompt=txt2img(), unique_id="9", **inputs)["result"][1]
    return stored


def captured(stored: StoredFile) -> dict[str, Any]:
    """Return the only pass of a file."""
    with gen5core.open(stored.path) as file:
        [entry] = (file.capture or {})["passes"]
        return dict(entry)


class TestRun:
    """What a recorded run holds."""

    @pytest.mark.parametrize("record_first", [True, False])
    def test_deterministic_sampling_on_either_side(self, record_first: bool) -> None:
        """Before or after Record Sampling, the run has the settings that were in force during sampling."""
        recording = Recording()
        wrappers: list[Wrapper] = [SamplingRecorder(recording), sample_deterministically]
        run(wrappers if record_first else wrappers[::-1], NOISE, compute=sampler)
        assert recording.runs[0].torch_settings[NAME] == ON
        assert live_settings()[NAME] == OFF

    def test_settings_changed_during_sampling(self) -> None:
        """Settings that a model changes only while it is loaded are recorded as they were during sampling."""

        def patched(got: dict[str, Any]) -> torch.Tensor:
            torch.backends.cudnn.benchmark = True
            try:
                return sampler(got)
            finally:
                torch.backends.cudnn.benchmark = False

        recording = Recording()
        run([SamplingRecorder(recording)], NOISE, compute=patched)
        assert recording.runs[0].torch_settings["cudnn_flags"].endswith(";benchmark=True")

    def test_bypassed_sampler_wrapper(self) -> None:
        """If a guider bypasses the sampler wrapper, the settings around the run are recorded."""
        recording = Recording()
        run([sample_deterministically, SamplingRecorder(recording)], NOISE)
        assert recording.runs[0].torch_settings[NAME] == ON


class TestFile:
    """What a saved pass holds."""

    @pytest.mark.parametrize("wrappers", [(None, sample_deterministically), (sample_deterministically, None)])
    def test_only_differing_settings(self, wrappers: Sequence[Any]) -> None:
        """A pass has only the settings that differ from the file's environment."""
        stored = saved(*wrappers)
        settings_of_pass = captured(stored)["torch_settings"]
        with gen5core.open(stored.path) as file:
            assert file.environment is not None
            assert file.environment.further[NAME] == OFF
            assert all(text != file.environment.further[name] for name, text in settings_of_pass.items())
        assert settings_of_pass[NAME] == ON
        assert settings_of_pass["cudnn_flags"].endswith(";deterministic=True;benchmark=False")

    def test_no_differing_settings(self) -> None:
        """A pass sampled with unchanged torch settings has none of them."""
        assert "torch_settings" not in captured(saved(None))


class TestReplay:
    """What a replay logs."""

    def replay(self, stored: StoredFile, *wrappers: Wrapper) -> None:
        """Sample from the file with these wrappers; None marks the replayer's position."""
        chain = [wrapper or replaying(stored) for wrapper in wrappers]
        run(chain, randn(1, 4, 4, 8, seed=9), compute=sampler)

    def test_without_the_node(self, caplog: pytest.LogCaptureFixture) -> None:
        """Replaying a Deterministic Sampling pass without that node is logged like environment drift."""
        self.replay(saved(None, sample_deterministically), None)
        expected = (
            f"x_00001_.gen5, pass 0: Environment component '{NAME}' differs:\n  File: {ON}\n  Current: {OFF}"
        )
        assert expected in caplog.messages

    def test_with_the_node_added(self, caplog: pytest.LogCaptureFixture) -> None:
        """So is replaying a pass with the node that was sampled without it."""
        self.replay(saved(None), None, sample_deterministically)
        expected = (
            f"x_00001_.gen5, pass 0: Environment component '{NAME}' differs:\n  File: {OFF}\n  Current: {ON}"
        )
        assert expected in caplog.messages

    @pytest.mark.parametrize("inside", [True, False])
    def test_equal_settings(self, inside: bool, caplog: pytest.LogCaptureFixture) -> None:
        """If both ran with the node, on either side of the replayer, nothing is logged."""
        around = [None, sample_deterministically]
        self.replay(saved(None, sample_deterministically), *(around if inside else around[::-1]))
        self.replay(saved(None), None)
        assert caplog.messages == []

    def test_unreadable_environment(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A file with an invalid environment, which Load Gen5 can ignore, is still replayed."""
        with gen5core.open(saved(None).path) as file:
            changed = {"capture": file.capture, "environment": {"tf32": 7}}
        noise = forge.float32("initial_noise", NOISE.flatten().tolist(), NOISE.shape)
        other = folder / "odd.gen5"
        other.write_bytes(forge.build([noise], edit=lambda document: document.update(changed)))
        self.replay(open_stored(other), None)

    def test_settings_that_are_not_strings(self, folder: Path) -> None:
        """A pass with invalid settings is an error that names it."""
        entry = {"recorded": True, "noise": "initial_noise", "torch_settings": {"tf32": 7}}
        path = gen5core.save(
            folder / "odd.gen5", latents={"initial_noise": NOISE}, capture={"passes": [entry]}
        )
        with pytest.raises(gen5core.MalformedChunkError, match=r"pass 0: torch_settings is \{'tf32': 7\}"):
            open_stored(path).read_start()


class Model:
    """A MODEL that keeps a list of its wrappers."""

    def __init__(self) -> None:
        self.wrappers: list[tuple[str, str, Any]] = []

    def clone(self) -> Model:
        """Return a copy with its own wrappers."""
        return copy.copy(self)

    def add_wrapper_with_key(self, kind: str, key: str, wrapper: Any) -> None:
        """Keep a wrapper, as the host's registry does."""
        self.wrappers = [*self.wrappers, (kind, key, wrapper)]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's registry of wrappers."""
    kinds = SimpleNamespace(OUTER_SAMPLE="outer", SAMPLER_SAMPLE="sampler", APPLY_MODEL="model")
    monkeypatch.setattr(host, "_module", lambda name: SimpleNamespace(WrappersMP=kinds))


def test_both_nodes_wrap_run_and_sampler(registry: None) -> None:
    """Record and Replay wrap the run and the sampler itself, on a clone."""
    stored, model = saved(None), Model()
    recorded, _ = Gen5Record().record(model, unique_id="7")
    replayed, _ = Gen5Replay().replay(recorded, stored)
    assert model.wrappers == []
    assert [entry[:2] for entry in recorded.wrappers] == [
        ("outer", "gen5_record_7"),
        ("sampler", "gen5_record_7"),
        ("model", "gen5_record_7"),
    ]
    assert [entry[:2] for entry in replayed.wrappers[3:]] == [
        ("outer", "gen5_replay"),
        ("sampler", "gen5_replay"),
        ("model", "gen5_replay"),
    ]
    assert {entry[2] for entry in replayed.wrappers if entry[0] == "sampler"} == {record_torch_settings}
