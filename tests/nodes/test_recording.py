"""What samplers received in each run, and which run belongs to which latent."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gen5pack import gen5core
from gen5pack.nodes import host
from gen5pack.nodes.sampling.call import SamplingCall
from gen5pack.nodes.sampling.recorder import SamplingRecorder
from gen5pack.nodes.sampling.recording import Recording, Run
from gen5pack.nodes.save import Gen5Save
from gen5pack.nodes.stored.file import StoredFile
from runs import SAMPLER, SIGMAS, OuterSample, hires, images, randn, run, txt2img


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The prompt and node that the host reports as running."""
    running = SimpleNamespace(prompt_id="p1", node_id="3")
    monkeypatch.setattr(host, "executing", lambda: (running.prompt_id, running.node_id))
    return running


def record(recording: Recording, seed: int, **further: Any) -> torch.Tensor:
    """Sample with the noise of a seed; return the result."""
    return run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=seed), seed=seed, **further)[0]


class TestRun:
    """What one run holds."""

    def test_everything_is_recorded(self, now: SimpleNamespace) -> None:
        """Noise, start, sigmas, seed, cfg, sampler, prompt and node are those of the run."""
        recording, noise, start = Recording(), randn(2, 4, 4, 4), randn(2, 4, 4, 4, seed=1)
        mask = (randn(2, 4, 4, 4, seed=2) > 0).float()
        run([SamplingRecorder(recording)], noise, start, seed=2**64 - 1, cfg=3.5, mask=mask)
        [recorded] = recording.runs
        assert noise.equal(recorded.noise[0])
        assert start.equal(recorded.start_latent[0])
        assert recorded.noise_mask is not None
        assert mask.equal(recorded.noise_mask[0])
        assert (
            recorded.prompt_id,
            recorded.node_id,
            recorded.seed,
            recorded.cfg,
            recorded.sampler_name,
            recorded.sigmas,
            recorded.shapes,
        ) == ("p1", "3", 2**64 - 1, 3.5, "euler", (14.5, 3.0, 0.0), [[2, 4, 4, 4]])

    def test_sampler_that_writes_into_its_input(self) -> None:
        """Noise is recorded as received, even if the sampler changes it in place."""

        def compute(got: dict[str, Any]) -> torch.Tensor:
            result: torch.Tensor = got["noise"].mul_(2)
            return result

        recording, noise = Recording(), randn(1, 4, 4, 4)
        run([SamplingRecorder(recording)], noise, compute=compute)
        assert randn(1, 4, 4, 4).equal(recording.runs[0].noise[0])
        assert (randn(1, 4, 4, 4) * 2).equal(noise)

    def test_sampler_that_writes_into_its_latent(self) -> None:
        """So are the start latent, its mask, and the sigmas."""

        def compute(got: dict[str, Any]) -> torch.Tensor:
            for name in ("latent_image", "sigmas", "denoise_mask"):
                got[name].mul_(2)
            return randn(1, 4, 4, 4)

        recording, start, mask = Recording(), randn(1, 4, 4, 4, seed=1), randn(1, 4, 4, 4, seed=2)
        run(
            [SamplingRecorder(recording)],
            randn(1, 4, 4, 4),
            start,
            sigmas=SIGMAS.clone(),
            mask=mask,
            compute=compute,
        )
        [recorded] = recording.runs
        assert randn(1, 4, 4, 4, seed=1).equal(recorded.start_latent[0])
        assert recorded.noise_mask is not None
        assert randn(1, 4, 4, 4, seed=2).equal(recorded.noise_mask[0])
        assert recorded.sigmas == (14.5, 3.0, 0.0)

    def test_zeros_take_no_memory(self) -> None:
        """An empty start latent is recorded as zeros that take the memory of one."""
        recording = Recording()
        record(recording, 1)
        [start] = recording.runs[0].start_latent
        assert torch.zeros(1, 4, 4, 8).equal(start)
        assert start.untyped_storage().nbytes() == 4

    def test_deep_copied_model_options(self) -> None:
        """After a host or pack deep-copies the model's options, runs still go to the same recording."""
        recording = Recording()
        options = {"wrappers": {"outer_sample": {"gen5": [SamplingRecorder(recording).__call__]}}}
        [copied] = copy.deepcopy(options)["wrappers"]["outer_sample"]["gen5"]
        run([copied], randn(1, 4, 4, 4))
        assert len(recording.runs) == 1

    def test_result_is_returned(self) -> None:
        """The sampler's own tensor is returned, and every argument reaches it."""
        made = randn(1, 4, 4, 4, seed=3)
        output, got = run([SamplingRecorder(Recording())], randn(1, 4, 4, 4), compute=lambda _: made, extra=5)
        assert made is output
        assert (got["extra"], got["sampler"], got["seed"], got["disable_pbar"]) == (5, SAMPLER, 1, False)

    def test_failing_run_is_not_recorded(self) -> None:
        """A run that fails is not recorded, its error propagates, and the next run is recorded as usual."""

        def fail(_: Any) -> torch.Tensor:
            raise RuntimeError("out of memory")

        recording = Recording()
        with pytest.raises(RuntimeError, match=r"^out of memory$"):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), compute=fail)
        assert recording.runs == ()
        record(recording, 1)
        assert [recorded.seed for recorded in recording.runs] == [1]

    def test_nested_latent(self) -> None:
        """The parts of a packed latent are recorded as parts."""
        shapes = [[2, 4, 2, 3], [2, 5, 7]]
        video, audio = randn(*shapes[0]), randn(*shapes[1], seed=1)
        packed = torch.cat([video.reshape(2, 1, -1), audio.reshape(2, 1, -1)], dim=-1)
        recording = Recording()
        run([SamplingRecorder(recording)], packed, latent_shapes=shapes)
        [recorded] = recording.runs
        assert shapes == recorded.shapes
        assert video.equal(recorded.noise[0])
        assert audio.equal(recorded.noise[1])


class TestFaults:
    """What recording meets or breaks costs no picture."""

    def test_callback_with_arguments_by_name(self) -> None:
        """A sampler's callback gets its arguments as the sampler names them."""
        got: list[Any] = []

        def sample(given: dict[str, Any]) -> torch.Tensor:
            given["callback"](0, denoised=given["noise"], x=given["noise"], total_steps=4)
            return torch.zeros(1, 4, 2, 2)

        chain = OuterSample([SamplingRecorder(Recording())], compute=sample)
        noise = randn(1, 4, 2, 2)
        chain(noise, noise, SAMPLER, SIGMAS, None, lambda *args, **kwargs: got.append((args, [*kwargs])))
        assert got == [((0,), ["denoised", "x", "total_steps"])]

    def test_draws_that_cannot_be_followed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The run is kept with the reason, and the sampler runs."""

        class Locked(type):
            def __setattr__(cls, name: str, value: object) -> None:
                raise TypeError("the class is locked")

        class Tree(metaclass=Locked):
            def __call__(self) -> None: ...

        monkeypatch.setattr(host, "brownian_classes", lambda: [Tree])
        recording, noise = Recording(), randn(1, 4, 2, 2)
        output, _ = run([SamplingRecorder(recording)], noise)
        [recorded] = recording.runs
        assert output.equal(noise * 0.5)
        assert recorded.step_noise_reason == (
            "what the sampler draws could not be recorded: the class is locked"
        )

    def test_x0_that_is_no_latent(self) -> None:
        """A run whose last x0 the model cannot convert is found by its result."""

        def refuse(latent: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("expected all tensors to be on the same device")

        def sample(given: dict[str, Any]) -> torch.Tensor:
            given["callback"](0, given["noise"], given["noise"], 4)
            return randn(1, 4, 2, 2, seed=3)

        patcher = SimpleNamespace(model=SimpleNamespace(process_latent_out=refuse))
        recording, noise = Recording(), randn(1, 4, 2, 2)
        guider = SimpleNamespace(cfg=1.0, model_patcher=patcher)
        output = OuterSample([SamplingRecorder(recording)], guider, compute=sample)(
            noise, noise, SAMPLER, SIGMAS
        )
        assert recording.find_by_result([output]) is recording.runs[0]


class TestFindResult:
    """A run is found by the latent that it returned."""

    def test_seeds_1_2_1(self, now: SimpleNamespace) -> None:
        """With seed 1's latent cached, saving it after seed 2 gives seed 1's run."""
        recording = Recording()
        first = record(recording, 1)
        now.prompt_id = "p2"
        second = record(recording, 2)
        for seed, result in ((1, first), (2, second), (1, first)):
            found = recording.find_by_result([result])
            assert found is not None
            assert found.seed == seed

    def test_list_items(self) -> None:
        """Each item of a list finds its own run, in any order."""
        recording = Recording()
        results = [record(recording, seed) for seed in range(4)]
        for seed in (2, 0, 3, 1):
            found = recording.find_by_result([results[seed].clone()])
            assert found is not None
            assert found.seed == seed

    def test_equal_latents(self) -> None:
        """Of several runs that returned equal latents, the latest is found."""
        recording, made = Recording(), randn(1, 4, 4, 8)
        kept = [record(recording, seed, compute=lambda _: made.clone()) for seed in (1, 2)]
        found = recording.find_by_result([kept[0]])
        assert found is not None
        assert found.seed == 2

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_result_in_half_precision(self, dtype: torch.dtype) -> None:
        """A host that keeps latents in half precision still finds the run."""
        recording = Recording()
        result = record(recording, 1)
        record(recording, 2)
        found = recording.find_by_result([result.to(dtype)])
        assert found is not None
        assert found.seed == 1

    def test_almost_equal_latent_is_not_found(self) -> None:
        """A latent that differs in one value, or only in shape, matches no run."""
        recording = Recording()
        result = record(recording, 1)
        other = result.clone()
        other[0, 0, 0, 0] += 1
        assert recording.find_by_result([other]) is None
        assert recording.find_by_result([result.reshape(1, 4, 8, 4)]) is None
        assert recording.find_by_result([result, result]) is None


class TestFindSettings:
    """Without the latent, a run is found by node and seed if only one start matches."""

    def test_node_and_seed(self, now: SimpleNamespace) -> None:
        """Runs are distinguished by seed and node; an unknown combination finds none."""
        recording = Recording()
        for node_id, seed in (("3", 1), ("3", 2), ("13", 1)):
            now.node_id = node_id
            record(recording, seed)
        for node_id, seed in (("3", 1), ("3", 2), ("13", 1)):
            found = recording.find_by_settings(node_id, seed)
            assert found is not None
            assert (found.node_id, found.seed) == (node_id, seed)
        assert recording.find_by_settings("13", 2) is None
        assert recording.find_by_settings("4", 1) is None

    def test_two_starts_are_ambiguous(self, now: SimpleNamespace) -> None:
        """Of two runs of one node and seed from different noise, neither is found."""
        recording = Recording()
        for noise_seed in (1, 2):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4, seed=noise_seed), seed=7)
        assert recording.find_by_settings("3", 7) is None

    def test_equal_starts_are_not_ambiguous(self, now: SimpleNamespace) -> None:
        """Two runs from the same start, e.g. with another prompt text, count as one."""
        recording = Recording()
        for _ in range(2):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), seed=7)
        assert recording.runs[1] is recording.find_by_settings("3", 7)

    def test_shape(self, now: SimpleNamespace) -> None:
        """Only runs of the given shape are considered."""
        recording = Recording()
        for width in (4, 8):
            run([SamplingRecorder(recording)], randn(1, 4, 4, width), seed=7)
        found = recording.find_by_settings("3", 7, [(1, 4, 4, 8)])
        assert recording.runs[1] is found

    def test_graph_settings_are_preferred(self, now: SimpleNamespace) -> None:
        """Of several runs from one start, the one with the graph's cfg and sampler is preferred."""
        recording = Recording()
        for cfg in (5.0, 7.0):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), seed=7, cfg=cfg)
        found = recording.find_by_settings("3", 7, cfg=5.0, sampler_name="euler")
        assert recording.runs[0] is found

    def test_differing_values_are_left_out(self, now: SimpleNamespace) -> None:
        """If the graph cannot distinguish runs from one start, only what they share is returned."""
        recording = Recording()
        for cfg in (5.0, 7.0):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), seed=7, cfg=cfg)
        found = recording.find_by_settings("3", 7)
        assert found is not None
        assert (found.cfg, found.differing, found.sampler_name) == (None, ("cfg",), "euler")
        assert randn(1, 4, 4, 4).equal(found.noise[0])

    def test_this_prompt_only(self, now: SimpleNamespace) -> None:
        """Runs of earlier prompts can be ignored."""
        recording = Recording()
        kept = record(recording, 7)
        now.prompt_id = "p2"
        assert recording.find_by_settings("3", 7) is recording.find_by_result([kept])
        assert recording.find_by_settings("3", 7, this_prompt=True) is None


class TestDropping:
    """Runs that can never be requested again are dropped."""

    def test_memory_is_bounded(self, now: SimpleNamespace) -> None:
        """After 50 prompts whose latents are gone, only the last prompt's runs and tensors are left."""
        recording = Recording()
        tensors: list[weakref.ref[torch.Tensor]] = []
        for number in range(50):
            now.prompt_id = f"p{number}"
            record(recording, number)
            tensors.append(weakref.ref(recording.runs[-1].noise[0]))
        gc.collect()
        assert [recorded.seed for recorded in recording.runs] == [49]
        assert sum(tensor() is not None for tensor in tensors) == 1

    def test_cached_latents_keep_their_runs(self, now: SimpleNamespace) -> None:
        """A latent that a cache still holds keeps its run, however many prompts follow."""
        recording = Recording()
        kept = record(recording, 100)
        for number in range(10):
            now.prompt_id = f"other{number}"
            record(recording, number)
        assert [recorded.seed for recorded in recording.runs] == [100, 9]
        del kept
        now.prompt_id = "last"
        record(recording, 11)
        assert [recorded.seed for recorded in recording.runs] == [11]

    def test_runs_of_this_prompt_stay(self, now: SimpleNamespace) -> None:
        """Within one prompt every run stays, even if its latent was consumed by the next sampler."""
        recording = Recording()
        for number in range(5):
            record(recording, number)
        gc.collect()
        assert list(range(5)) == [recorded.seed for recorded in recording.runs]

    def test_host_without_prompt_id(self, now: SimpleNamespace) -> None:
        """Without a prompt id from the host, memory is still bounded."""
        now.prompt_id = now.node_id = None
        recording = Recording()
        for number in range(300):
            run([SamplingRecorder(recording)], randn(1, 1, 2, 2, seed=number), seed=number)
        assert len(recording.runs) == 17
        assert recording.runs[-1].seed == 299

    @pytest.mark.parametrize("why", ["nested", "half precision"])
    def test_copied_latents(self, now: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
        """If ComfyUI copies the returned tensor, the last 16 runs of earlier prompts are kept."""
        if why == "half precision":
            monkeypatch.setattr(host, "casts_results", lambda dtype: dtype != torch.float16)
        shapes = {"latent_shapes": [[1, 4, 2, 2], [1, 16]]} if why == "nested" else {}
        recording = Recording()
        for number in range(40):
            now.prompt_id = f"p{number}"
            run([SamplingRecorder(recording)], randn(1, 1, 32, seed=number), seed=number, **shapes)
        assert list(range(23, 40)) == [recorded.seed for recorded in recording.runs]

    def test_threads(self) -> None:
        """Runs of many threads on one recording are all complete."""
        recording = Recording()
        kept: list[torch.Tensor] = []

        def work(worker: int) -> None:
            for number in range(10):
                kept.append(record(recording, worker * 10 + number))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(range(80)) == sorted(recorded.seed or 0 for recorded in recording.runs)
        for result in kept:
            found = recording.find_by_result([result])
            assert found is not None
            assert randn(1, 4, 4, 8, seed=found.seed or 0).equal(found.noise[0])


class TestPairing:
    """Which run is stored for a saved pass."""

    def save(self, recording: Recording, prompt: dict[str, Any], **inputs: Any) -> dict[str, Any]:
        """Return META's capture of a save."""
        answer = Gen5Save().save("x", recording=recording, prompt=prompt, unique_id="9", **inputs)
        stored: StoredFile = answer["result"][1]
        with gen5core.open(stored.path) as file:
            return dict(file.capture or {})

    def two_passes(self, now: SimpleNamespace, recording: Recording, seed: int = 5) -> torch.Tensor:
        """Run a base and a refiner that starts from its result; return the last result."""
        now.node_id = now.node_id and "3"
        base = record(recording, seed)
        now.node_id = now.node_id and "13"
        return run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=60), base, seed=6)[0]

    def test_base_and_refiner(self, now: SimpleNamespace) -> None:
        """Both passes of one recording are found, the first one by the start latent of the second."""
        recording = Recording()
        result = self.two_passes(now, recording)
        capture = self.save(recording, hires(), latent={"samples": result})
        assert "reason" not in capture
        assert [(entry["recorded"], entry["noise"], entry["seed"]) for entry in capture["passes"]] == [
            (True, "initial_noise", 5),
            (True, "initial_noise.1", 6),
        ]

    def test_host_without_node_id(self, now: SimpleNamespace) -> None:
        """Without a node id from the host, the start latent of the second pass still finds the first."""
        now.prompt_id = now.node_id = None
        recording = Recording()
        result = self.two_passes(now, recording)
        capture = self.save(recording, hires(), latent={"samples": result})
        assert [entry["recorded"] for entry in capture["passes"]] == [True, True]

    def test_pass_that_was_not_recorded(self, now: SimpleNamespace) -> None:
        """A pass without a run is reported as missing, and keeps its settings from the graph."""
        recording = Recording()
        now.node_id = "13"
        result = run([SamplingRecorder(recording)], randn(1, 4, 4, 8), randn(1, 4, 4, 8, seed=1), seed=6)[0]
        capture = self.save(recording, hires(), latent={"samples": result})
        assert capture["reason"] == "no recorded run was found for node 3"
        first, last = capture["passes"]
        assert (first["recorded"], last["recorded"]) == (False, True)
        assert first["add_noise"] is True
        assert "noise" not in first

    @pytest.mark.parametrize(
        ("node_id", "seed", "passes"),
        [("3.0.0.1", 5, 1), ("8.0.0.3", 5, 1), ("8.0.0.3", 6, 2), ("8.0.0.1", 5, 2)],
    )
    def test_node_created_at_run_time(
        self, now: SimpleNamespace, node_id: str, seed: int, passes: int
    ) -> None:
        """A node expanded from a pass's node, or a copy with its seed, is that pass; any other is a separate pass."""
        recording = Recording()
        now.node_id = node_id
        result = record(recording, seed)
        capture = self.save(recording, txt2img(), latent={"samples": result})
        assert len(capture["passes"]) == passes
        last = capture["passes"][-1]
        assert (node_id, seed) == (last["node_id"], last["seed"])
        assert (passes == 1) == ("scheduler" in last)

    def test_twin_that_ran_later(self, now: SimpleNamespace) -> None:
        """Of two samplers with equal results, the one that the latent comes from is stored."""
        recording = Recording()
        result = record(recording, 5)
        now.node_id = "7"
        assert result.equal(record(recording, 5))
        capture = self.save(recording, txt2img(), latent={"samples": result})
        assert [entry["node_id"] for entry in capture["passes"]] == ["3"]

    def test_inner_node_with_the_id_of_another(self, now: SimpleNamespace) -> None:
        """A node created at run time is not the graph's node of the same number if that one ran too."""
        recording = Recording()
        first = record(recording, 5)
        now.node_id = "12.0.0.3"
        result = run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=5), first, seed=5)[0]
        capture = self.save(recording, txt2img(), latent={"samples": result})
        assert [entry["node_id"] for entry in capture["passes"]] == ["3", "12.0.0.3"]

    def test_chain_of_nodes_outside_the_graph(self, now: SimpleNamespace) -> None:
        """The iterations of a loop are passes in the order in which they ran."""
        recording = Recording()
        latent = record(recording, 5)
        for now.node_id in ("8.0.0.3", "8.0.0.8.0.0.3"):
            latent = run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=5), latent, seed=5)[0]
        capture = self.save(recording, txt2img(), latent={"samples": latent})
        assert [entry["node_id"] for entry in capture["passes"]] == ["3", "8.0.0.3", "8.0.0.8.0.0.3"]

    def test_host_without_node_id_of_an_idle_pass(self, now: SimpleNamespace) -> None:
        """A pass with denoise 0 has no run; the run of the result belongs to the other pass."""
        now.prompt_id = now.node_id = None
        recording = Recording()
        result = record(recording, 5)
        capture = self.save(recording, hires(denoise=0.0), latent={"samples": result})
        assert "reason" not in capture
        first, second = capture["passes"]
        assert (first["recorded"], first["add_noise"]) == (True, True)
        assert (second["recorded"], second["add_noise"]) == (False, False)

    def test_switch_over_a_sampler_of_an_earlier_prompt(self, now: SimpleNamespace) -> None:
        """If a switch may have selected a cached sampler, the reason says that this is not known."""
        graph = hires()
        graph["20"] = {"class_type": "SomeTest", "inputs": {"value": 3}}
        graph["21"] = {
            "class_type": "ComfySwitchNode",
            "inputs": {"switch": ["20", 0], "on_false": ["5", 0], "on_true": ["3", 0]},
        }
        graph["12"]["inputs"]["samples"] = ["21", 0]
        recording = Recording()
        kept = record(recording, 5)
        now.prompt_id, now.node_id = "p2", "13"
        start = randn(1, 4, 8, 16, seed=1)
        result = run([SamplingRecorder(recording)], randn(1, 4, 8, 16), start, seed=6)[0]
        capture = self.save(recording, graph, latent={"samples": result})
        assert [entry["node_id"] for entry in capture["passes"]] == ["13"]
        assert "whether node 3 also sampled is only known at run time" in capture["reason"]
        assert recording.find_by_result([kept]) is recording.runs[0]

    def test_images_alone(self, now: SimpleNamespace) -> None:
        """If only images are saved, the run is found by node and seed."""
        recording = Recording()
        for seed in (1, 2):
            record(recording, seed)
        capture = self.save(recording, txt2img(1), images=images())
        assert (capture["noise_source"], capture["passes"][0]["seed"]) == ("recorded", 1)

    def test_recording_of_another_prompt(self, now: SimpleNamespace) -> None:
        """A recording of other seeds is not used for an image, and the reason says what to connect."""
        recording = Recording()
        record(recording, 1)
        capture = self.save(recording, txt2img(2), images=images())
        assert capture["noise_source"] == "none"
        assert capture["reason"].startswith("no recorded run")


class TestSamplingCall:
    """The arguments of a run, however they are passed."""

    def parse(self, *args: Any, **kwargs: Any) -> tuple[OuterSample, dict[str, Any]]:
        """Pass arguments through a call and return what arrives."""
        end = OuterSample(compute=lambda _: torch.zeros(1))
        SamplingCall.parse(end, args, kwargs).run(end)
        return end, end.received[0]

    def test_further_arguments_arrive(self) -> None:
        """Arguments added by later versions, by position or by name, are passed on unchanged."""
        noise = randn(1, 4, 2, 2)
        args = (noise, noise, SAMPLER, SIGMAS, "mask", "callback", True, 9, "later", "still later")
        _, got = self.parse(*args, by_name=3)
        assert got["further"] == ("later", "still later")
        assert tuple(
            got[name] for name in ("denoise_mask", "callback", "disable_pbar", "seed", "by_name")
        ) == ("mask", "callback", True, 9, 3)

    def test_keyword_arguments_stay_keywords(self) -> None:
        """A keyword argument after a gap is not moved into the gap."""
        noise = randn(1, 4, 2, 2)
        _, got = self.parse(noise, noise, SAMPLER, SIGMAS, seed=9)
        assert (got.get("seed"), got.get("denoise_mask")) == (9, None)
        _, got = self.parse(noise=noise, latent_image=noise, sampler=SAMPLER, sigmas=SIGMAS, callback="c")
        assert (got["callback"], got.get("denoise_mask"), got.get("seed")) == ("c", None, None)

    @pytest.mark.parametrize(
        ("sampler", "name"),
        [(SAMPLER, "euler"), (SimpleNamespace(sampler_function=len), "len"), (object(), None), (None, None)],
    )
    def test_sampler_name(self, sampler: Any, name: str | None) -> None:
        """A sampler is named after its function, without the prefix; one without a function has no name."""
        assert SamplingCall({"sampler": sampler}).sampler_name == name

    @pytest.mark.parametrize("cfg", [None, "7", {}])
    def test_guider_without_a_plain_cfg(self, cfg: Any) -> None:
        """A guider whose cfg is not a number gives a run without cfg."""
        recording = Recording()
        run([SamplingRecorder(recording)], randn(1, 4, 2, 2), cfg=cfg)
        assert recording.runs[0].cfg is None


def test_run_owns_its_memory() -> None:
    """A run does not change when the tensors that it was recorded from change."""
    recording, noise, start = Recording(), randn(1, 4, 4, 4), randn(1, 4, 4, 4, seed=1)
    run([SamplingRecorder(recording)], noise, start)
    noise.zero_()
    start.zero_()
    recorded: Run = recording.runs[0]
    assert randn(1, 4, 4, 4).equal(recorded.noise[0])
    assert randn(1, 4, 4, 4, seed=1).equal(recorded.start_latent[0])
