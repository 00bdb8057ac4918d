"""Environment Drift without ComfyUI: the table, and models that have changed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import forge
import pytest
from gen5pack import gen5core
from gen5pack.gen5core.environment.hardware import Drift
from gen5pack.gen5core.environment.model_digests import DigestCache, digest_file, digest_name
from gen5pack.gen5core.errors import EncodeError
from gen5pack.nodes import host
from gen5pack.nodes.drift import Gen5Environment, table
from gen5pack.nodes.load import report_drift
from gen5pack.nodes.stored.drift import stored_drifts
from gen5pack.nodes.stored.file import StoredFile, open_stored

NAME = "tiny.safetensors"
DIGEST_KINDS = ("sampled", "full")


def stored(folder: Path, **facts: Any) -> StoredFile:
    """Return a file written by the core alone; without an environment unless one is given."""
    facts = {"environment": None, "hardware": None, **facts}
    return open_stored(gen5core.save(folder / "input" / "a.gen5", **facts))


def check(gen5: StoredFile) -> dict[str, Any]:
    """Return the outputs by name."""
    outputs = Gen5Environment().check(gen5)
    return dict(zip(Gen5Environment.RETURN_NAMES, outputs["result"], strict=True))


def changed(component_id: str) -> gen5core.Environment:
    """Return this machine's environment with one component's version changed."""
    here = gen5core.Environment.capture()
    return gen5core.Environment(
        components=tuple(
            type(part)(part.component_id, part.canonical.replace("version=", "version=0."))
            if part.component_id == component_id
            else part
            for part in here.components
        )
    )


class TestComponents:
    """Software and hardware."""

    def test_this_machine(self, folder: Path) -> None:
        """A file of this very machine matches."""
        assert check(stored(folder, environment=gen5core.Environment.capture())) == {
            "matches": True,
            "drift_count": 0,
            "report": "nothing differs",
        }

    def test_another_version(self, folder: Path) -> None:
        """One differing version gives one line: component, kind, stored, here."""
        found = check(stored(folder, environment=changed("numpy")))
        assert (found["matches"], found["drift_count"]) == (False, 1)
        head, line = found["report"].splitlines()
        assert head.split() == ["component", "drift", "stored", "here"]
        assert line.split()[:2] == ["numpy", "differs"]
        assert "version=0." in line.split()[2]
        assert [head.index(word) for word in ("drift", "stored", "here")] == [
            line.index("differs"),
            line.index(line.split()[2]),
            line.index(line.split()[3]),
        ]

    def test_no_environment(self, folder: Path) -> None:
        """A file without an environment has no drift."""
        assert check(stored(folder, prompt="a cat")) == {
            "matches": True,
            "drift_count": 0,
            "report": "nothing differs",
        }

    def test_sent_to_the_browser(self, folder: Path) -> None:
        """The browser gets each drift as an object."""
        [outputs] = Gen5Environment().check(stored(folder, environment=changed("numpy")))["ui"]["gen5"]
        [row] = outputs["drifts"]
        assert (row["component"], row["kind"]) == ("numpy", "differs")
        assert set(row) == {"component", "kind", "stored", "current"}

    def test_never_cached(self) -> None:
        """The node runs each time, since the machine may change although the file does not."""
        assert math.isnan(Gen5Environment.IS_CHANGED(gen5=None))


class TestModels:
    """Models that the file names, inside ComfyUI."""

    @pytest.fixture
    def model(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A LoRA that this ComfyUI finds under its name."""
        path = folder / NAME
        path.write_bytes(bytes(range(256)) * 8)

        def model_file(kinds: Any, name: str) -> Path | None:
            return path if name == NAME and "loras" in kinds and path.exists() else None

        monkeypatch.setattr(host, "is_present", lambda: True)
        monkeypatch.setattr(host, "model_file", model_file)
        monkeypatch.setattr(host, "user_folder", lambda: folder / "user")
        monkeypatch.setattr(host, "progress", lambda total: lambda value: None)
        monkeypatch.setattr(host, "description", lambda: None)
        monkeypatch.setattr(host, "attention_backend", lambda: None)
        return path

    def resource(self, path: Path, kind: str = "sampled", **facts: Any) -> dict[str, Any]:
        """Return the resource that Save Gen5 writes for a LoRA."""
        return {
            "kind": "lora",
            "name": NAME,
            "size_bytes": path.stat().st_size,
            "digest": digest_file(path, kind),
            "digest_kind": digest_name(kind),
            **facts,
        }

    @pytest.mark.parametrize("kind", DIGEST_KINDS)
    def test_same_bytes(self, folder: Path, model: Path, kind: str) -> None:
        """The same file under the same name is no drift, with either kind of digest."""
        assert check(stored(folder, resources=[self.resource(model, kind)]))["matches"]

    @pytest.mark.parametrize("kind", DIGEST_KINDS)
    def test_same_name_other_bytes(self, folder: Path, model: Path, kind: str) -> None:
        """One other byte under the same name and size is reported with the name and both digests."""
        before = self.resource(model, kind)
        file = stored(folder, resources=[before])
        model.write_bytes(b"\x01" + model.read_bytes()[1:])
        found = check(file)
        assert (found["matches"], found["drift_count"]) == (False, 1)
        line = found["report"].splitlines()[1]
        size = str(model.stat().st_size)
        assert [
            "lora",
            NAME,
            "differs",
            before["digest"],
            size,
            digest_file(model, kind),
            size,
        ] == line.split()

    def test_missing_model(self, folder: Path, model: Path) -> None:
        """A model that this ComfyUI does not find is reported as missing here."""
        file = stored(folder, resources=[self.resource(model)])
        model.unlink()
        line = check(file)["report"].splitlines()[1]
        assert f"lora {NAME}  missing here  " in line
        assert line.endswith("–")

    def test_size_alone(self, folder: Path, model: Path) -> None:
        """For a model saved without a digest, the size is compared."""
        entry = {"kind": "lora", "name": NAME, "size_bytes": 2048}
        assert check(stored(folder, resources=[entry]))["matches"]
        assert check(stored(folder, resources=[{**entry, "size_bytes": 2047}]))["drift_count"] == 1

    @pytest.mark.parametrize(
        "facts",
        [{"digest_kind": "of-a-later-version", "digest": "00"}, {"digest_kind": None, "digest": "00"}],
    )
    def test_digest_of_unknown_kind(self, folder: Path, model: Path, facts: dict[str, Any]) -> None:
        """A digest of an unknown kind is not compared; the size still is."""
        assert check(stored(folder, resources=[self.resource(model, **facts)]))["matches"]
        larger = self.resource(model, **facts, size_bytes=9)
        assert check(stored(folder, resources=[larger]))["drift_count"] == 1

    def test_off(self, folder: Path, model: Path) -> None:
        """A model that was switched off does not differ, whatever its bytes are here; another state changes nothing."""
        entry = self.resource(model, size_bytes=9)
        assert check(stored(folder, resources=[{**entry, "state": "off"}]))["matches"]
        for state in ("loaded", "named", "of-a-later-version", 5):
            assert check(stored(folder, resources=[{**entry, "state": state}]))["drift_count"] == 1

    def test_kind_of_a_later_version(self, folder: Path, model: Path) -> None:
        """An unknown kind is looked for in the folder of that name; elsewhere it is missing."""
        assert check(stored(folder, resources=[{**self.resource(model), "kind": "loras"}]))["matches"]
        line = check(stored(folder, resources=[{**self.resource(model), "kind": "later"}]))[
            "report"
        ].splitlines()[1]
        assert f"later {NAME}  missing here  " in line

    def test_name_of_another_system(self, folder: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
        """A name with backslashes, from Windows, is found here."""
        monkeypatch.setattr(host, "model_file", lambda kinds, name: model if name == f"sub/{NAME}" else None)
        assert check(stored(folder, resources=[self.resource(model, name=f"sub\\{NAME}")]))["matches"]

    def test_a_file_that_is_no_model(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, model: Path
    ) -> None:
        """A file may name anything, but only model files are read: not those of a folder without models."""
        asked: list[Any] = []
        monkeypatch.setattr(host, "model_file", lambda kinds, name: asked.append((*kinds, name)))
        for facts in ({"name": "notes.txt"}, {"name": "x.bin", "kind": "custom_nodes"}):
            check(stored(folder, resources=[{**self.resource(model), **facts}]))
        assert {
            folder for folders in asked for folder in folders if folder in ("custom_nodes", "notes.txt")
        } == set()

    def test_not_found_when_saved(self, folder: Path, model: Path) -> None:
        """A model that was not found when the file was saved cannot differ."""
        assert check(stored(folder, resources=[{"kind": "lora", "name": NAME}]))["matches"]

    def test_load_gen5_rejects_it(self, folder: Path, model: Path) -> None:
        """on_drift error rejects a file whose model differs here, and names the model."""
        file = stored(folder, resources=[self.resource(model)])
        with file.open() as opened:
            assert report_drift(opened, "error") == []
            model.write_bytes(b"\x01" + model.read_bytes()[1:])
            with pytest.raises(EncodeError, match=rf"was made in another environment[^\n]*\n.*{NAME}"):
                report_drift(opened, "error")

    def test_entries_of_other_types(self, folder: Path, model: Path) -> None:
        """Entries that are not objects or have no name are skipped; the others are compared."""
        entry = self.resource(model, size_bytes=9)
        resources = [1, None, "x", [], {}, {"name": 5}, entry]
        path = folder / "input" / "a.gen5"
        path.write_bytes(forge.build([], edit=lambda document: document.update(resources=resources)))
        assert check(open_stored(path))["drift_count"] == 1

    def test_unreadable_model(self, folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The node raises if a model cannot be read; with quick, that model is skipped."""

        def refuse(*_: Any) -> str:
            raise PermissionError(13, "Permission denied", NAME)

        monkeypatch.setattr(DigestCache, "digest", refuse)
        file = stored(folder, resources=[self.resource(model), {"name": "gone", "size_bytes": 1}])
        with pytest.raises(PermissionError, match=NAME):
            check(file)
        with file.open() as opened:
            assert [drift.component for drift in stored_drifts(opened, quick=True)] == ["model gone"]

    def test_models_come_first(self, folder: Path, model: Path) -> None:
        """Models are listed before components."""
        file = stored(folder, resources=[self.resource(model, size_bytes=9)], environment=changed("numpy"))
        _, first, second = check(file)["report"].splitlines()
        assert first.startswith(f"lora {NAME}")
        assert second.startswith("numpy")


def test_models_without_comfyui(folder: Path) -> None:
    """Without ComfyUI a model's file cannot be found, so there is no drift."""
    entry = {"kind": "lora", "name": NAME, "size_bytes": 1}
    assert check(stored(folder, resources=[entry]))["matches"]


def test_table() -> None:
    """Columns are aligned, missing values are dashes, and no line has trailing blanks."""
    drifts = [Drift("a", "1", "22", "differs"), Drift("longer", None, "3", "missing in file")]
    assert table(drifts) == (
        "component  drift            stored  here\n"
        "a          differs          1       22\n"
        "longer     missing in file  –       3"
    )
    assert table([]) == "nothing differs"
