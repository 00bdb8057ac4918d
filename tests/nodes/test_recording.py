"""What samplers received, noted run by run, and which run belongs to which latent."""

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
    """Which prompt and node run now, as the host tells it."""
    running = SimpleNamespace(prompt_id="p1", node_id="3")
    monkeypatch.setattr(host, "executing", lambda: (running.prompt_id, running.node_id))
    return running


def record(recording: Recording, seed: int, **further: Any) -> torch.Tensor:
    """Sample with a noise that is the seed's; return the result."""
    return run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=seed), seed=seed, **further)[0]


class TestRun:
    """What one run says."""

    def test_everything_is_noted(self, now: SimpleNamespace) -> None:
        """Noise, start, sigmas, seed, cfg, sampler, prompt and node are those of the run."""
        recording, noise, start = Recording(), randn(2, 4, 4, 4), randn(2, 4, 4, 4, seed=1)
        mask = (randn(2, 4, 4, 4, seed=2) > 0).float()
        run([SamplingRecorder(recording)], noise, start, seed=2**64 - 1, cfg=3.5, mask=mask)
        [noted] = recording.runs
        assert noise.equal(noted.noise[0])
        assert start.equal(noted.start_latent[0])
        assert noted.noise_mask is not None
        assert mask.equal(noted.noise_mask[0])
        assert (
            noted.prompt_id,
            noted.node_id,
            noted.seed,
            noted.cfg,
            noted.sampler_name,
            noted.sigmas,
            noted.shapes,
        ) == ("p1", "3", 2**64 - 1, 3.5, "euler", (14.5, 3.0, 0.0), [[2, 4, 4, 4]])

    def test_sampler_that_writes_into_its_input(self) -> None:
        """Noise is noted as it came, though the sampler changes it in place."""

        def compute(got: dict[str, Any]) -> torch.Tensor:
            result: torch.Tensor = got["noise"].mul_(2)
            return result

        recording, noise = Recording(), randn(1, 4, 4, 4)
        run([SamplingRecorder(recording)], noise, compute=compute)
        assert randn(1, 4, 4, 4).equal(recording.runs[0].noise[0])
        assert (randn(1, 4, 4, 4) * 2).equal(noise)

    def test_sampler_that_writes_into_its_latent(self) -> None:
        """So are the latent that it starts from, its mask, and the sigmas."""

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
        [noted] = recording.runs
        assert randn(1, 4, 4, 4, seed=1).equal(noted.start_latent[0])
        assert noted.noise_mask is not None
        assert randn(1, 4, 4, 4, seed=2).equal(noted.noise_mask[0])
        assert noted.sigmas == (14.5, 3.0, 0.0)

    def test_zeros_take_no_memory(self) -> None:
        """An empty latent to start from is noted by its shape: as zeros, in the memory of one."""
        recording = Recording()
        record(recording, 1)
        [start] = recording.runs[0].start_latent
        assert torch.zeros(1, 4, 4, 8).equal(start)
        assert start.untyped_storage().nbytes() == 4

    def test_copied_with_the_models_options(self) -> None:
        """A host or a pack that copies a model's options deeply goes on noting in the same recording."""
        recording = Recording()
        options = {"wrappers": {"outer_sample": {"gen5": [SamplingRecorder(recording).__call__]}}}
        [copied] = copy.deepcopy(options)["wrappers"]["outer_sample"]["gen5"]
        run([copied], randn(1, 4, 4, 4))
        assert len(recording.runs) == 1

    def test_result_is_handed_on(self) -> None:
        """The sampler's own tensor is returned, and every argument reaches it."""
        made = randn(1, 4, 4, 4, seed=3)
        output, got = run([SamplingRecorder(Recording())], randn(1, 4, 4, 4), compute=lambda _: made, extra=5)
        assert made is output
        assert (got["extra"], got["sampler"], got["seed"], got["disable_pbar"]) == (5, SAMPLER, 1, False)

    def test_failing_run_leaves_nothing(self) -> None:
        """A run that fails is not noted, its error goes on, and the next run is noted as usual."""

        def fail(_: Any) -> torch.Tensor:
            raise RuntimeError("out of memory")

        recording = Recording()
        with pytest.raises(RuntimeError, match=r"^out of memory$"):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), compute=fail)
        assert recording.runs == ()
        record(recording, 1)
        assert [noted.seed for noted in recording.runs] == [1]

    def test_nested_latent(self) -> None:
        """The parts of a packed latent are noted as parts."""
        shapes = [[2, 4, 2, 3], [2, 5, 7]]
        video, audio = randn(*shapes[0]), randn(*shapes[1], seed=1)
        packed = torch.cat([video.reshape(2, 1, -1), audio.reshape(2, 1, -1)], dim=-1)
        recording = Recording()
        run([SamplingRecorder(recording)], packed, latent_shapes=shapes)
        [noted] = recording.runs
        assert shapes == noted.shapes
        assert video.equal(noted.noise[0])
        assert audio.equal(noted.noise[1])


class TestFindResult:
    """A run is found by the latent that it returned."""

    def test_seeds_1_2_1(self, now: SimpleNamespace) -> None:
        """With seed 1's latent cached, saving it after seed 2 gives seed 1's run."""
        recording = Recording()
        first = record(recording, 1)
        now.prompt_id = "p2"
        second = record(recording, 2)
        for seed, result in ((1, first), (2, second), (1, first)):
            found = recording.find_result([result])
            assert found is not None
            assert seed == found.seed

    def test_list_items(self) -> None:
        """Each item of a list finds its own run, in whatever order they are asked for."""
        recording = Recording()
        results = [record(recording, seed) for seed in range(4)]
        for seed in (2, 0, 3, 1):
            found = recording.find_result([results[seed].clone()])
            assert found is not None
            assert seed == found.seed

    def test_equal_latents(self) -> None:
        """Of runs that returned equal latents the latest is taken."""
        recording, made = Recording(), randn(1, 4, 4, 8)
        kept = [record(recording, seed, compute=lambda _: made.clone()) for seed in (1, 2)]
        found = recording.find_result([kept[0]])
        assert found is not None
        assert found.seed == 2

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_result_kept_in_half_precision(self, dtype: torch.dtype) -> None:
        """A host that keeps latents in half precision still finds the run."""
        recording = Recording()
        result = record(recording, 1)
        record(recording, 2)
        found = recording.find_result([result.to(dtype)])
        assert found is not None
        assert found.seed == 1

    def test_one_bit_off_is_another_latent(self) -> None:
        """A latent that differs in one value, or in its shape alone, is found by no run."""
        recording = Recording()
        result = record(recording, 1)
        other = result.clone()
        other[0, 0, 0, 0] += 1
        assert recording.find_result([other]) is None
        assert recording.find_result([result.reshape(1, 4, 8, 4)]) is None
        assert recording.find_result([result, result]) is None


class TestFindSettings:
    """Failing the latent, a run is found by node and seed, where only one start fits."""

    def test_node_and_seed(self, now: SimpleNamespace) -> None:
        """Seed and node tell runs apart; what nobody ran is not found."""
        recording = Recording()
        for node_id, seed in (("3", 1), ("3", 2), ("13", 1)):
            now.node_id = node_id
            record(recording, seed)
        for node_id, seed in (("3", 1), ("3", 2), ("13", 1)):
            found = recording.find_settings(node_id, seed)
            assert found is not None
            assert (node_id, seed) == (found.node_id, found.seed)
        assert recording.find_settings("13", 2) is None
        assert recording.find_settings("4", 1) is None

    def test_two_starts_are_ambiguous(self, now: SimpleNamespace) -> None:
        """Two runs of one node and seed from different noises: neither is taken."""
        recording = Recording()
        for noise_seed in (1, 2):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4, seed=noise_seed), seed=7)
        assert recording.find_settings("3", 7) is None

    def test_equal_starts_are_not(self, now: SimpleNamespace) -> None:
        """Two runs from the same start, with another prompt text say, are as good as one."""
        recording = Recording()
        for _ in range(2):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), seed=7)
        assert recording.runs[1] is recording.find_settings("3", 7)

    def test_shape_may_be_asked_for(self, now: SimpleNamespace) -> None:
        """A shape leaves only the runs that have it."""
        recording = Recording()
        for width in (4, 8):
            run([SamplingRecorder(recording)], randn(1, 4, 4, width), seed=7)
        found = recording.find_settings("3", 7, [(1, 4, 4, 8)])
        assert recording.runs[1] is found

    def test_the_graphs_settings_come_first(self, now: SimpleNamespace) -> None:
        """Of runs from one start the one with the graph's cfg and sampler is taken, if there is one."""
        recording = Recording()
        for cfg in (5.0, 7.0):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), seed=7, cfg=cfg)
        found = recording.find_settings("3", 7, cfg=5.0, sampler_name="euler")
        assert recording.runs[0] is found

    def test_what_differs_is_left_out(self, now: SimpleNamespace) -> None:
        """Where the graph does not tell runs from one start apart, what they share is told."""
        recording = Recording()
        for cfg in (5.0, 7.0):
            run([SamplingRecorder(recording)], randn(1, 4, 4, 4), seed=7, cfg=cfg)
        found = recording.find_settings("3", 7)
        assert found is not None
        assert (found.cfg, found.mixed, found.sampler_name) == (None, ("cfg",), "euler")
        assert randn(1, 4, 4, 4).equal(found.noise[0])

    def test_this_prompts_runs_alone(self, now: SimpleNamespace) -> None:
        """A run of an earlier prompt can be left out."""
        recording = Recording()
        kept = record(recording, 7)
        now.prompt_id = "p2"
        assert recording.find_settings("3", 7) is recording.find_result([kept])
        assert recording.find_settings("3", 7, this_prompt=True) is None


class TestDropping:
    """Runs that nothing can ask for any more go away."""

    def test_fifty_prompts_do_not_grow(self, now: SimpleNamespace) -> None:
        """Over 50 prompts whose latents nobody keeps, only the last prompt's runs, and tensors, are left."""
        recording = Recording()
        tensors: list[weakref.ref[torch.Tensor]] = []
        for number in range(50):
            now.prompt_id = f"p{number}"
            record(recording, number)
            tensors.append(weakref.ref(recording.runs[-1].noise[0]))
        gc.collect()
        assert [noted.seed for noted in recording.runs] == [49]
        assert sum(tensor() is not None for tensor in tensors) == 1

    def test_kept_latents_keep_their_runs(self, now: SimpleNamespace) -> None:
        """A latent that a cache still holds keeps its run, however many prompts came between."""
        recording = Recording()
        kept = record(recording, 100)
        for number in range(10):
            now.prompt_id = f"other{number}"
            record(recording, number)
        assert [noted.seed for noted in recording.runs] == [100, 9]
        del kept
        now.prompt_id = "last"
        record(recording, 11)
        assert [noted.seed for noted in recording.runs] == [11]

    def test_runs_of_this_prompt_stay(self, now: SimpleNamespace) -> None:
        """Within one prompt every run stays, though its latent went into the next sampler and is gone."""
        recording = Recording()
        for number in range(5):
            record(recording, number)
        gc.collect()
        assert list(range(5)) == [noted.seed for noted in recording.runs]

    def test_host_that_does_not_tell_the_prompt(self, now: SimpleNamespace) -> None:
        """Where the host tells no prompt id, memory still does not grow without end."""
        now.prompt_id = now.node_id = None
        recording = Recording()
        for number in range(300):
            run([SamplingRecorder(recording)], randn(1, 1, 2, 2, seed=number), seed=number)
        assert len(recording.runs) == 17
        assert recording.runs[-1].seed == 299

    @pytest.mark.parametrize("why", ["nested", "half precision"])
    def test_latents_that_cannot_be_watched(
        self, now: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, why: str
    ) -> None:
        """Where ComfyUI makes another tensor of the returned one, the last 16 runs of earlier prompts are kept."""
        if why == "half precision":
            monkeypatch.setattr(host, "casts_results", lambda dtype: dtype != torch.float16)
        shapes = {"latent_shapes": [[1, 4, 2, 2], [1, 16]]} if why == "nested" else {}
        recording = Recording()
        for number in range(40):
            now.prompt_id = f"p{number}"
            run([SamplingRecorder(recording)], randn(1, 1, 32, seed=number), seed=number, **shapes)
        assert list(range(23, 40)) == [noted.seed for noted in recording.runs]

    def test_threads(self) -> None:
        """Runs of many threads on one recording are all there, each whole."""
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
        assert list(range(80)) == sorted(noted.seed or 0 for noted in recording.runs)
        for result in kept:
            found = recording.find_result([result])
            assert found is not None
            assert randn(1, 4, 4, 8, seed=found.seed or 0).equal(found.noise[0])


class TestPairing:
    """Which run a saved pass gets."""

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
        """Both passes of one recording are found, the first by what the second started from."""
        recording = Recording()
        result = self.two_passes(now, recording)
        capture = self.save(recording, hires(), latent={"samples": result})
        assert "reason" not in capture
        assert [(entry["recorded"], entry["noise"], entry["seed"]) for entry in capture["passes"]] == [
            (True, "initial_noise", 5),
            (True, "initial_noise.1", 6),
        ]

    def test_host_that_does_not_tell_the_node(self, now: SimpleNamespace) -> None:
        """Where the host tells no node id, what the second pass started from still finds the first."""
        now.prompt_id = now.node_id = None
        recording = Recording()
        result = self.two_passes(now, recording)
        capture = self.save(recording, hires(), latent={"samples": result})
        assert [entry["recorded"] for entry in capture["passes"]] == [True, True]

    def test_pass_that_was_not_recorded(self, now: SimpleNamespace) -> None:
        """A pass without a run is said to be missing, and keeps what the graph tells of it."""
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
    def test_node_made_as_the_prompt_ran(
        self, now: SimpleNamespace, node_id: str, seed: int, passes: int
    ) -> None:
        """A pass's node may become others, or be copied with its seed; any other is a pass of its own."""
        recording = Recording()
        now.node_id = node_id
        result = record(recording, seed)
        capture = self.save(recording, txt2img(), latent={"samples": result})
        assert passes == len(capture["passes"])
        last = capture["passes"][-1]
        assert (node_id, seed) == (last["node_id"], last["seed"])
        assert (passes == 1) == ("steps" in last)

    def test_twin_that_ran_later(self, now: SimpleNamespace) -> None:
        """Of two samplers with one result the one that the latent comes from is told."""
        recording = Recording()
        result = record(recording, 5)
        now.node_id = "7"
        assert result.equal(record(recording, 5))
        capture = self.save(recording, txt2img(), latent={"samples": result})
        assert [entry["node_id"] for entry in capture["passes"]] == ["3"]

    def test_inner_node_with_the_id_of_another(self, now: SimpleNamespace) -> None:
        """A node made as the prompt ran is not the graph's of the same number, where that one ran itself."""
        recording = Recording()
        first = record(recording, 5)
        now.node_id = "12.0.0.3"
        result = run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=5), first, seed=5)[0]
        capture = self.save(recording, txt2img(), latent={"samples": result})
        assert [entry["node_id"] for entry in capture["passes"]] == ["3", "12.0.0.3"]

    def test_chain_of_nodes_that_the_graph_does_not_have(self, now: SimpleNamespace) -> None:
        """The rounds of a loop are passes in the order they ran."""
        recording = Recording()
        latent = record(recording, 5)
        for now.node_id in ("8.0.0.3", "8.0.0.8.0.0.3"):
            latent = run([SamplingRecorder(recording)], randn(1, 4, 4, 8, seed=5), latent, seed=5)[0]
        capture = self.save(recording, txt2img(), latent={"samples": latent})
        assert [entry["node_id"] for entry in capture["passes"]] == ["3", "8.0.0.3", "8.0.0.8.0.0.3"]

    def test_host_that_does_not_tell_the_node_of_an_idle_pass(self, now: SimpleNamespace) -> None:
        """A pass with denoise 0 has no run: that of the result is the other's."""
        now.prompt_id = now.node_id = None
        recording = Recording()
        result = record(recording, 5)
        capture = self.save(recording, hires(denoise=0.0), latent={"samples": result})
        assert "reason" not in capture
        first, second = capture["passes"]
        assert (first["recorded"], first["add_noise"]) == (True, True)
        assert (second["recorded"], second["add_noise"]) == (False, False)

    def test_switch_over_a_sampler_of_an_earlier_prompt(self, now: SimpleNamespace) -> None:
        """Whether a cached sampler behind an undecided switch had a part is not known, and said where it may have."""
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
        assert "whether node 3 sampled too is known only to a run" in capture["reason"]
        assert recording.find_result([kept]) is recording.runs[0]

    def test_images_alone(self, now: SimpleNamespace) -> None:
        """With images only the run is found by node and seed."""
        recording = Recording()
        for seed in (1, 2):
            record(recording, seed)
        capture = self.save(recording, txt2img(1), images=images())
        assert (capture["noise_source"], capture["passes"][0]["seed"]) == ("recorded", 1)

    def test_other_prompts_recording(self, now: SimpleNamespace) -> None:
        """A recording of other seeds gives an image nothing, and the reason says what to connect."""
        recording = Recording()
        record(recording, 1)
        capture = self.save(recording, txt2img(2), images=images())
        assert capture["noise_source"] == "none"
        assert capture["reason"].startswith("no recorded run")


class TestSamplingCall:
    """The arguments of a run, however they are passed."""

    def parse(self, *args: Any, **kwargs: Any) -> tuple[OuterSample, dict[str, Any]]:
        """Send arguments through a call and return what arrives."""
        end = OuterSample(compute=lambda _: torch.zeros(1))
        SamplingCall.parse(end, args, kwargs).run(end)
        return end, end.received[0]

    def test_further_arguments_arrive(self) -> None:
        """What later versions append, by position or by name, is passed on in its place."""
        noise = randn(1, 4, 2, 2)
        args = (noise, noise, SAMPLER, SIGMAS, "mask", "callback", True, 9, "later", "still later")
        _, got = self.parse(*args, by_name=3)
        assert got["further"] == ("later", "still later")
        assert tuple(
            got[name] for name in ("denoise_mask", "callback", "disable_pbar", "seed", "by_name")
        ) == ("mask", "callback", True, 9, 3)

    def test_arguments_by_name_stay_in_their_place(self) -> None:
        """An argument given by name after a gap is not moved into the gap."""
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
        """A sampler is named by its function, without the prefix; one without a function has no name."""
        assert name == SamplingCall({"sampler": sampler}).sampler_name

    @pytest.mark.parametrize("cfg", [None, "7", [7.0]])
    def test_guider_without_a_plain_cfg(self, cfg: Any) -> None:
        """A guider whose cfg is no number gives a run without one."""
        recording = Recording()
        run([SamplingRecorder(recording)], randn(1, 4, 2, 2), cfg=cfg)
        assert recording.runs[0].cfg is None


def test_run_is_of_its_own_memory() -> None:
    """What a run holds does not change with the tensors that it was noted from."""
    recording, noise, start = Recording(), randn(1, 4, 4, 4), randn(1, 4, 4, 4, seed=1)
    run([SamplingRecorder(recording)], noise, start)
    noise.zero_()
    start.zero_()
    noted: Run = recording.runs[0]
    assert randn(1, 4, 4, 4).equal(noted.noise[0])
    assert randn(1, 4, 4, 4, seed=1).equal(noted.start_latent[0])
