"""The command line: what it prints to which stream, and its exit codes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import forge
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import gen5core
from gen5core import cli as cli_package
from gen5core.cli import group, verify
from gen5core.cli.commands import cli
from gen5core.cli.text import format_size, printable, printable_value
from gen5core.environment.components import Component, Environment
from gen5core.images import png_chunks

ROOT = Path(gen5core.__file__).parents[1]
PROMPT = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 42, "steps": 20}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "/home/anna/cat.png"}},
}
COMMANDS = [
    "info",
    "verify",
    "extract",
    "env",
    "diff",
    "import",
    "export",
    "scrub",
    "keygen",
    "sign",
    "trust",
]
WORKFLOW = {"nodes": [{"id": 3, "type": "KSampler"}], "version": 0.4}
NOISE = np.arange(16, dtype=np.float32).reshape(1, 4, 2, 2)
PIXELS = np.zeros((64, 48, 3), np.uint8)
NASTY = "\x1b]0;owned\x07\x1b[31mred\r\u202egnp.exe\ud800 [bold]x[/bold] :smile:"
ESCAPED = r"\x1b]0;owned\x07\x1b[31mred\r\u202egnp.exe\ud800 [bold]x[/bold] :smile:"


def make(path: Path, **changes: Any) -> Path:
    """Save a file with everything that a command can print."""
    facts: dict[str, Any] = {
        "latents": {"initial_noise": NOISE, "final_latent": NOISE.astype(np.float16)},
        "images": [PIXELS, PIXELS + 7],
        "settings": {"seed": 2**64 - 1, "steps": 20, "sampler": "euler"},
        "prompt": "a cat",
        "model_name": "sdxl",
        "tags": ["pets"],
        "comfyui": {"prompt": PROMPT, "workflow": WORKFLOW, "version": "0.3.64"},
        "capture": {"noise_source": "recorded", "passes": [{"sigmas": [1.0, 0.0]}]},
        "resources": [{"kind": "checkpoint", "name": "sdxl.safetensors", "digest": "ab"}],
        "environment": Environment((Component("numpy", "name=numpy;version=2.1.0"),), {"attention": "sage"}),
        "hardware": {"os": "Linux", "machine_name": "annas-pc"},
        **changes,
    }
    return gen5core.save(path, **facts)


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def spawn(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run ``python -m gen5core`` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", **options.pop("env", {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, *options.pop("program", ("-m", "gen5core")), *map(str, arguments)]
    return subprocess.run(command, env=environment, timeout=120, **{**streams, **options})


def damaged(path: Path) -> Path:
    """Write a file whose first latent fails its digest, and return its path."""
    make(path)
    path.write_bytes(forge.flipped(path.read_bytes(), 50, 1))
    return path


# The entry point


def test_without_arguments_it_prints_the_help() -> None:
    """Without arguments, the help lists every command and the exit codes; exit code 0."""
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    assert [name for name in COMMANDS if f"\n  {name} " not in result.stdout] == []
    assert "Exit codes: 0 fine, 1 damage or a difference was found, 2 an error" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_documents_its_exit_codes(name: str) -> None:
    """Exit code 1 is documented only by commands that can report a finding."""
    result = run(name, "--help")
    text = " ".join(result.stdout.split())
    expected = {
        "verify": (
            "Exit codes: 0 fine, 1 if a file is damaged, not a GEN5 file, or not signed by each KEY, 2 an "
            "error, reported in one line on stderr."
        ),
        "env": "Exit codes: 0 fine, 1 if something differs, 2 an error, reported in one line on stderr.",
        "diff": "Exit codes: 0 fine, 1 if something differs, 2 an error, reported in one line on stderr.",
    }
    assert (
        result.exit_code,
        text.endswith(expected.get(name, "Exit codes: 0 fine, 2 an error, reported in one line on stderr.")),
    ) == (0, True)


ITSELF = "is the input file itself, whose record would be lost; choose another output"
NO_STDOUT = "-: this command cannot write to stdout; name a file (./- for a file called -)"
ERRORS = {
    "paint": "No such command 'paint'. (see gen5core --help)",
    "info": "Missing argument 'FILE'. (see gen5core info --help)",
    "info no.gen5": "no.gen5: no such file or folder; check the path",
    "verify no": "no: no such file or folder; check the path",
    "diff a.gen5 no.gen5": "no.gen5: no such file or folder; check the path",
    "info .": ".: is a folder, not a regular file",
    "export a.gen5 -o x.gif": (
        "the suffix of x.gif does not give the kind of the output: use --to latent|safetensors|png|gen5 "
        "(see gen5core export --help)"
    ),
    "extract a.gen5 --workflow --metadata -o x": (
        "--image, --latent, --workflow and --metadata: choose one (see gen5core extract --help)"
    ),
    "extract a.gen5 -o no/x.png": "no: no such folder; create it first",
    "extract a.gen5 -o x.jpg": "x.jpg: the image is a PNG; name the file x.png",
    "extract a.gen5 --index 2 -o x.png": "a.gen5 has no image 2; it has 2",
    "extract a.gen5 --latent x -o x.npy": (
        "there is no latent 'x'; the file has initial_noise, final_latent"
    ),
    "extract a.gen5 --latent final_latent -o x.pt": (
        "x.pt: a latent is written as .npy or .safetensors; use one of these suffixes"
    ),
    f"extract a.gen5 -o {os.devnull}": f"{os.devnull}: is not a regular file; choose another output",
    "extract a.gen5 --metadata -o a.gen5": f"a.gen5: {ITSELF}",
    "extract a.gen5 -o ./a.gen5 --force": f"./a.gen5: {ITSELF}",
    "export a.gen5 --to latent -o a.gen5 --force": f"a.gen5: {ITSELF}",
    "export a.gen5 --to latent -o x.png": "x.png: the output is a latent file; name it x.latent",
    "export a.gen5 --to png -o x.jpg": "x.jpg: the output is a png file; name it x.png",
    "export a.gen5 --to latent -o -": NO_STDOUT,
    "import a.gen5 -o -": NO_STDOUT,
    "scrub a.gen5 -o -": NO_STDOUT,
    "keygen -o -": NO_STDOUT,
    "scrub a.gen5 -o x.png": "'x.png' does not end in .gen5; name the file x.gen5",
    "scrub a.gen5": "name the output with -o, or use --dry-run (see gen5core scrub --help)",
    "import a.ckpt -o x.gen5": (
        "a.ckpt is not one of .latent, .safetensors, .sft, .png; convert it to one of them first"
    ),
}


@pytest.mark.parametrize(("command", "message"), ERRORS.items())
def test_an_error_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, message: str
) -> None:
    """Exit code 2, nothing on stdout, no traceback, no file written."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.gen5")
    result = run(*command.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"gen5core: error: {message}\n"
    assert os.listdir(tmp_path) == ["a.gen5"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "not enough memory for this; close other programs or use a machine with more"),
        (
            ModuleNotFoundError("no", name="torch"),
            "this needs torch, which is not installed: pip install torch",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "a.gen5"), "a.gen5: Permission denied"),
        (gen5core.TruncatedError("cut"), "cut"),
    ],
)
def test_all_kinds_of_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, message: str
) -> None:
    """This includes an EOFError, which click would treat as Ctrl-D."""

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("gen5core.reader.file.open", fail)
    result = run("info", "a.gen5")
    assert (result.exit_code, result.stderr) == (2, f"gen5core: error: {message}\n")


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is not caught, so that the bug can be reported."""
    monkeypatch.setattr("gen5core.reader.file.open", lambda *arguments: {}["no"])
    assert isinstance(run("info", "a.gen5").exception, KeyError)


@pytest.mark.parametrize("name", ["click", "rich"])
def test_a_missing_dependency_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Code that needs neither click nor rich prints the remedy."""
    for module in [module for module in sys.modules if module.startswith("gen5core.cli.")]:
        monkeypatch.delitem(sys.modules, module)
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    assert cli_package.main(["info", "x"]) == 2
    error = f"gen5core: error: {name} is not installed: pip install click rich\n"
    assert capsys.readouterr() == ("", error)


def test_main_returns_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The console script passes the result of ``main()`` to ``sys.exit``."""
    assert cli_package.main(["verify", str(damaged(tmp_path / "a.gen5"))]) == 1
    assert cli_package.main(["--version"]) == 0
    assert capsys.readouterr().out.endswith(f"gen5core, version {gen5core.__version__}\n")


# The process


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    """``python -m gen5core`` prints UTF-8 and exits with the command's code."""
    path = make(tmp_path / "a.gen5", prompt="犬 “cinematic”")
    result = spawn("info", path, env={"PYTHONIOENCODING": "utf-8"})
    assert (result.returncode, result.stderr) == (0, b"")
    assert "prompt  犬 “cinematic”\n" in result.stdout.decode()


def test_ascii_output_is_escaped(tmp_path: Path) -> None:
    """Characters that an ASCII stdout cannot encode are escaped, without an error."""
    path = make(tmp_path / "a.gen5", prompt="犬")
    result = spawn("info", path, env={"PYTHONIOENCODING": "ascii"})
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"prompt  \\u72ac\n" in result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of a POSIX shell")
@pytest.mark.parametrize("size", [1, 20_000])
@pytest.mark.parametrize(
    "command", ["info", "info --json", "extract -o - --metadata", "env", "verify", "--help"]
)
def test_a_closed_pipe_is_not_an_error(tmp_path: Path, command: str, size: int) -> None:
    """``| head`` ends a command silently, and never with 1, which would report a finding."""
    path = make(tmp_path / "a.gen5", comfyui={"prompt": {str(n): {"inputs": {}} for n in range(size)}})
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        result = spawn(*command.split(), path, stdout=pipe)
    assert (result.returncode, result.stderr) == (group.BROKEN_PIPE, b"")


FULL = b"gen5core: error: stdout: No space left on device; free some space, or redirect stdout elsewhere\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize("command", ["info", "info --json", "extract -o - --metadata"])
def test_a_full_disk_on_stdout_is_an_error(tmp_path: Path, command: str) -> None:
    """Output that could not be written is not a success."""
    with open("/dev/full", "wb") as full:
        result = spawn(*command.split(), make(tmp_path / "a.gen5"), stdout=full)
    assert (result.returncode, result.stderr) == (2, FULL)


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["info", "info --json", "verify", "env", "--help"])
def test_a_closed_stdout_changes_no_exit_code(tmp_path: Path, command: str, closed: str) -> None:
    """Some schedulers close it because they do not read the output; that must not look like damage."""
    path = gen5core.save(tmp_path / "a.gen5")
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "gen5core"]
    result = subprocess.run(
        [*shell, *command.split(), path], capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
def test_output_to_a_closed_stdout_is_an_error(tmp_path: Path) -> None:
    """Requested output would be lost, which is an error, as on a full disk. Damage is still reported."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "gen5core"]
    extract = [*shell, "extract", make(tmp_path / "a.gen5"), "-o", "-"]
    result = subprocess.run(extract, capture_output=True, env=environment)
    message = b"gen5core: error: stdout is closed; name a file with -o, or redirect stdout\n"
    assert (result.returncode, result.stderr) == (2, message)
    verify = [*shell, "verify", damaged(tmp_path / "b.gen5")]
    assert subprocess.run(verify, capture_output=True, env=environment).returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    """SIGINT while files are checked: the findings so far are printed, exit code 130, no traceback."""
    script = (
        "import os, signal, sys, gen5core.cli.verify as v\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
        "check, count = v._check, []\n"
        "def stop(path, *rest):\n"
        "    count.append(path)\n"
        "    if len(count) == 2: os.kill(os.getpid(), signal.SIGINT); __import__('time').sleep(60)\n"
        "    return check(path, *rest)\n"
        "v._check = stop\n"
        "from gen5core.cli import main; sys.exit(main())\n"
    )
    for name in ("a", "b"):
        damaged(tmp_path / f"{name}.gen5")
    result = spawn("verify", tmp_path, program=("-c", script), text=True)
    assert result.returncode == group.INTERRUPTED
    assert result.stdout.splitlines()[-1] == "1 file checked, 0 intact (0 B), 1 damaged, interrupted"
    assert result.stderr.strip() == "gen5core: error: interrupted; no incomplete file is left behind"


# Text from files


def test_text_from_a_file_is_escaped(tmp_path: Path) -> None:
    """Terminal escapes, direction overrides and surrogates are escaped; markup is printed literally."""
    path = make(
        tmp_path / "a.gen5",
        prompt=NASTY,
        model_name=NASTY,
        tags=[NASTY],
        settings={NASTY: NASTY},
        resources=[{"kind": NASTY, "name": NASTY}],
        latents={"x\x1b[31m": NOISE},
        capture={"noise_source": NASTY},
    )
    other = make(tmp_path / "b.gen5", prompt="")
    for command in (["info", path], ["diff", path, other], ["info", path, "--json"], ["env", path]):
        output = run(*command).stdout
        assert [character for character in output if not (character.isprintable() or character == "\n")] == []
    assert run("info", path).stdout.count(ESCAPED) == 8


def test_file_name_is_escaped_in_an_error(tmp_path: Path) -> None:
    """A malicious file name cannot control the terminal or fake a second line."""
    result = run("info", tmp_path / "a\x1b[2J\ngen5core: fine")
    escaped = f"{tmp_path}/a\\x1b[2J\\ngen5core: fine"
    assert result.stderr == f"gen5core: error: {escaped}: no such file or folder; check the path\n"


@given(st.text(st.characters(), max_size=50))
def test_printed_text_is_printable_and_keeps_printable_characters(text: str) -> None:
    """The result is printable, and printable characters are kept in order."""
    result = printable(text)
    assert result.isprintable()
    assert "".join(c for c in text if c.isprintable()) == text or len(result) > len(text)
    assert printable(result) == result


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (4 * 10**9, "4.0 GB"),
    ],
)
def test_sizes_round_into_the_next_unit(size: int, expected: str) -> None:
    """1000.0 is never printed if there is a larger unit."""
    assert format_size(size) == expected


def test_facts_of_an_image_are_escaped(tmp_path: Path) -> None:
    """The facts about an image in its row are text from the file, too."""
    extra = {"format": "[bold]x[/bold]", "width": ":smile:", "height": "\x1b[31m"}
    data = forge.build([forge.Chunk("DATA", "0000", forge.png(1, 1), extra)])
    (tmp_path / "a.gen5").write_bytes(data)
    assert r"[bold]x[/bold]   :smile: × \x1b[31m" in run("info", tmp_path / "a.gen5").stdout


# info


def test_info_shows_everything_except_the_arrays(tmp_path: Path) -> None:
    """Settings, latents, images, capture, environment and machine, each under its heading."""
    lines = [
        line.split()
        for line in run("info", make(tmp_path / "a.gen5", compression="none")).stdout.splitlines()
    ]
    for expected in (
        "prompt a cat",
        "seed 18446744073709551615",
        "initial_noise float32 1 × 4 × 2 × 2 64 B raw",
        "final_latent float16 1 × 4 × 2 × 2 32 B raw",
        "noise recorded",
        "graph 2 nodes",
        "workflow stored",
        "checkpoint sdxl.safetensors ab",
        "numpy 2.1.0",
        "attention sage",
        "machine_name annas-pc",
    ):
        assert expected.split() in lines
    assert [line[:5] for line in lines if line[1:2] == ["PNG"]] == [
        ["0", "PNG", "48", "×", "64"],
        ["1", "PNG", "48", "×", "64"],
    ]


def test_info_as_json_has_the_same_facts(tmp_path: Path) -> None:
    """Programs get every fact by name, and seeds as 64-bit integers."""
    path = make(tmp_path / "a.gen5")
    facts = json.loads(run("info", path, "--json").stdout)
    with gen5core.open(path) as file:
        assert (facts["root"], facts["date"], facts["version"]) == (file.root, file.date, "1.1")
    assert facts["settings"]["seed"] == 2**64 - 1
    assert facts["latents"] == [
        {"name": "initial_noise", "shape": [1, 4, 2, 2], "dtype": "float32", "stored_dtype": "float32"},
        {"name": "final_latent", "shape": [1, 4, 2, 2], "dtype": "float16", "stored_dtype": "float16"},
    ]
    assert facts["environment"] == {"numpy": "name=numpy;version=2.1.0", "attention": "sage"}
    assert (facts["has_prompt_graph"], facts["has_workflow"], facts["trailers"]) == (True, True, [])


def test_info_of_a_1_0_file_with_everything_missing(tmp_path: Path) -> None:
    """A minimal file of version 1.0 is shown without an error, as not sealed."""
    (tmp_path / "a.gen5").write_bytes(forge.build([forge.float32("x", [1.0])], minor=0))
    result = run("info", tmp_path / "a.gen5")
    assert result.exit_code == 0
    assert "GEN5 1.0 · not sealed" in result.stdout


@pytest.mark.parametrize("resource", [1, "\x1b[31mx", None, ["a"]])
def test_info_shows_a_resource_of_another_form(tmp_path: Path, resource: Any) -> None:
    """The format only requires a list, so a file with a number in it is shown, too."""
    resources = [resource, {"kind": "vae", "name": "x"}]
    data = forge.build([], edit=lambda document: document.update(resources=resources))
    (tmp_path / "a.gen5").write_bytes(data)
    assert run("verify", tmp_path).exit_code == 0
    result = run("info", tmp_path / "a.gen5")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert (result.exit_code, [printable_value(resource)] in rows, ["vae", "x"] in rows) == (0, True, True)


# verify


def test_an_empty_file_is_reported_as_empty(tmp_path: Path) -> None:
    """An unfinished copy is empty at first, so the remedy is another copy."""
    (tmp_path / "a.gen5").touch()
    line, summary = run("verify", tmp_path).stdout.splitlines()
    assert line == (
        f"not GEN5  {tmp_path}/a.gen5: at offset 0: is empty (starts with b'', a GEN5 file starts with b'GEN5'): "
        "it was cut or is still being copied; take another copy"
    )
    assert summary == "1 file checked, 0 intact (0 B), 1 not GEN5"


def test_verify_names_each_damaged_file_in_one_line(tmp_path: Path) -> None:
    """Folders are searched recursively. Other kinds of files are skipped there, but checked if named."""
    (tmp_path / "deep").mkdir()
    make(tmp_path / "good.gen5")
    damaged(tmp_path / "deep" / "bad.GEN5".lower())
    (tmp_path / "notes.txt").write_text("no")
    result = run("verify", tmp_path)
    lines = result.stdout.splitlines()
    assert (result.exit_code, len(lines), result.stderr) == (1, 2, "")
    assert lines[0].startswith(
        f"damaged  {tmp_path}/deep/bad.gen5: chunk 0 (LATN 'initial_noise') at offset 32: SHA-256"
    )
    assert lines[1].startswith("2 files checked, 1 intact (")
    assert lines[1].endswith("), 1 damaged")
    named = run("verify", tmp_path / "notes.txt")
    assert (named.exit_code, named.stdout.splitlines()[-1]) == (
        1,
        "1 file checked, 0 intact (0 B), 1 not GEN5",
    )


def test_verify_does_not_call_a_plain_png_damaged(tmp_path: Path) -> None:
    """A PNG whose record was stripped is intact as a picture: it is reported as not GEN5."""
    path = tmp_path / "stripped.png"
    Image.new("RGB", (2, 2)).save(path)
    result = run("verify", path)
    found, summary = result.stdout.splitlines()
    assert (result.exit_code, summary) == (1, "1 file checked, 0 intact (0 B), 1 not GEN5")
    assert found.startswith(f"not GEN5  {path}: is a plain PNG, without the ")


def test_verify_of_intact_files_prints_only_a_summary(tmp_path: Path) -> None:
    """One line, exit code 0; a file named twice is checked once."""
    path = make(tmp_path / "a.gen5")
    result = run("verify", path, tmp_path, path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [result.stdout.strip()]
    assert result.stdout.startswith("1 file checked, 1 intact (")


def test_verify_as_json(tmp_path: Path) -> None:
    """One object for each file, in the order of their names."""
    good, bad = make(tmp_path / "b.gen5"), damaged(tmp_path / "a.gen5")
    result = run("verify", tmp_path, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["complete"]) == (1, True)
    assert [(row["path"], row["status"]) for row in report["files"]] == [
        (str(bad), "damaged"),
        (str(good), "whole"),
    ]
    with gen5core.open(good) as file:
        assert report["files"][1]["root"] == file.root
        assert report["files"][1]["checked_bytes"] == good.stat().st_size
    assert "SHA-256" in report["files"][0]["error"]


def test_verify_reports_what_could_not_be_checked(tmp_path: Path) -> None:
    """A 1.0 file has no seal, which is printed as a note."""
    (tmp_path / "a.gen5").write_bytes(forge.build([], minor=0))
    result = run("verify", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"note  {tmp_path}/a.gen5: version 1.0 has no seal")


def test_verify_of_nothing_is_an_error(tmp_path: Path) -> None:
    """A folder without files must not look like a folder of intact files."""
    result = run("verify", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"gen5core: error: {tmp_path}: no .gen5 file or PNG with a record found; "
        "name files, or a folder that has some\n"
    )


def test_an_unreadable_file_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the file system does not mean damage: it has its own status, and exit code 2."""

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    path = make(tmp_path / "a.gen5")
    monkeypatch.setattr(verify.reader, "open", refuse)
    result = run("verify", path)
    assert (result.exit_code, result.stdout.splitlines()) == (
        2,
        [f"unreadable  {path}: Permission denied", "1 file checked, 0 intact (0 B), 1 unreadable"],
    )


# extract


def test_extract_deflates_the_image(tmp_path: Path) -> None:
    """An image kept in stored blocks is deflated when extracted; pixels and texts stay the same."""
    path = make(tmp_path / "a.gen5")
    assert run("extract", path, "-o", tmp_path / "a.png").exit_code == 0
    assert run("extract", path, "--image", "--index", 1, "-o", tmp_path / "b.png").exit_code == 0
    with gen5core.open(path) as file:
        for index, name in enumerate(("a.png", "b.png")):
            data = (tmp_path / name).read_bytes()
            assert len(data) < file.images[index].size_bytes / 5
            assert png_chunks.read_texts(data) == png_chunks.read_texts(file.images[index].bytes)
    again = gen5core.save(tmp_path / "c.gen5", images=(tmp_path / "b.png").read_bytes())
    with gen5core.open(again) as file:
        np.testing.assert_array_equal(file.images[0].array(), PIXELS + 7)


def test_extract_writes_a_latent_by_suffix(tmp_path: Path) -> None:
    """.npy has a dtype of numpy, .safetensors the original dtype."""
    torch = pytest.importorskip("torch")
    values = torch.tensor([1.5, float("nan"), -0.0]).bfloat16()
    path = make(tmp_path / "a.gen5", latents={"initial_noise": values})
    run("extract", path, "--latent", "initial_noise", "-o", tmp_path / "a.npy")
    run("extract", path, "--latent", "initial_noise", "-o", tmp_path / "a.safetensors")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values.float().numpy())
    from safetensors.torch import load_file

    assert torch.equal(
        load_file(tmp_path / "a.safetensors")["initial_noise"].view(torch.int16), values.view(torch.int16)
    )


def test_a_nested_latent_goes_into_safetensors(tmp_path: Path) -> None:
    """Its parts become separate tensors; a .npy, which has only one, is refused."""
    path = make(tmp_path / "a.gen5", latents={"initial_noise": [NOISE, NOISE[0]]})
    result = run("extract", path, "--latent", "initial_noise", "-o", tmp_path / "a.npy")
    assert result.stderr.endswith(
        "latent 'initial_noise' has several parts, a .npy holds only one; write .safetensors\n"
    )
    run("extract", path, "--latent", "initial_noise", "-o", tmp_path / "a.safetensors")
    from safetensors.numpy import load_file

    assert {name: array.shape for name, array in load_file(tmp_path / "a.safetensors").items()} == {
        "initial_noise.part0": (1, 4, 2, 2),
        "initial_noise.part1": (4, 2, 2),
    }


def test_extract_writes_json(tmp_path: Path) -> None:
    """The workflow is the document that ComfyUI opens; the metadata is all of META."""
    path = make(tmp_path / "a.gen5", prompt="犬")
    run("extract", path, "--workflow", "-o", tmp_path / "w.json")
    run("extract", path, "--metadata", "-o", tmp_path / "m.json")
    assert json.loads((tmp_path / "w.json").read_text()) == WORKFLOW
    with gen5core.open(path) as file:
        assert json.loads((tmp_path / "m.json").read_text()) == file.metadata


def test_without_a_workflow_the_prompt_graph_is_extracted(tmp_path: Path) -> None:
    """ComfyUI opens both, and a note says which one was written. Without either it is an error."""
    path = make(tmp_path / "a.gen5", comfyui={"prompt": PROMPT})
    result = run("extract", path, "--workflow", "-o", "-")
    assert json.loads(result.stdout) == PROMPT
    assert result.stderr == (
        "gen5core: note: the file has no workflow; writing the prompt graph, which ComfyUI opens too\n"
    )
    result = run("extract", make(tmp_path / "b.gen5", comfyui=None), "--workflow", "-o", "-")
    assert (result.exit_code, result.stderr) == (
        2,
        f"gen5core: error: {tmp_path}/b.gen5: the file has no workflow; it was saved without one, or scrubbed\n",
    )


def test_extract_to_stdout(tmp_path: Path) -> None:
    """``-o -`` writes the bytes and nothing else."""
    path = make(tmp_path / "a.gen5")
    run("extract", path, "-o", tmp_path / "a.png")
    assert spawn("extract", path, "-o", "-").stdout == (tmp_path / "a.png").read_bytes()
    assert os.listdir(tmp_path).count("-") == 0


def test_force_replaces_and_json_names_the_output(tmp_path: Path) -> None:
    """An existing output is replaced only with --force; --json names it."""
    path = make(tmp_path / "a.gen5")
    (tmp_path / "a.png").write_bytes(b"mine")
    assert run("extract", path, "-o", tmp_path / "a.png").exit_code == 2
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    result = run("extract", path, "-o", tmp_path / "a.png", "--force", "--json")
    assert json.loads(result.stdout) == {"output": str(tmp_path / "a.png")}
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_a_damaged_part_is_not_extracted(tmp_path: Path) -> None:
    """Its digest is checked first; the intact image can still be extracted."""
    path = damaged(tmp_path / "a.gen5")
    result = run("extract", path, "--latent", "initial_noise", "-o", tmp_path / "a.npy")
    assert (result.exit_code, "SHA-256" in result.stderr, (tmp_path / "a.npy").exists()) == (2, True, False)
    assert run("extract", path, "-o", tmp_path / "a.png").exit_code == 0


# env


def test_env_prints_drift_as_a_table(tmp_path: Path) -> None:
    """A difference is shown with its stored and its current value; exit code 1."""
    now = Environment.capture()
    old = Environment(
        (
            Component("numpy", "name=numpy;version=0.1"),
            *(c for c in now.components if c.component_id != "numpy"),
        )
    )
    path = make(tmp_path / "a.gen5", environment=old, hardware=None)
    result = run("env", path)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert ["numpy", "name=numpy;version=0.1", f"name=numpy;version={np.__version__}"] in rows
    assert rows[-1] == ["1", "difference"]
    assert json.loads(run("env", path, "--json").stdout) == [
        {
            "component": "numpy",
            "stored": "name=numpy;version=0.1",
            "current": f"name=numpy;version={np.__version__}",
            "kind": "differs",
        }
    ]


def test_env_of_this_machine_matches(tmp_path: Path) -> None:
    """A file that was just made on this machine has no drift; exit code 0."""
    path = gen5core.save(tmp_path / "a.gen5")
    result = run("env", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}: this machine matches\n")
    assert json.loads(run("env", path, "--json").stdout) == []


def test_env_without_a_stored_one_is_an_error(tmp_path: Path) -> None:
    """Nothing to compare is not the same as no difference."""
    path = make(tmp_path / "a.gen5", environment=None)
    result = run("env", path)
    assert (result.exit_code, result.stderr) == (
        2,
        f"gen5core: error: {path}: the file has no environment to compare\n",
    )


# diff


def test_diff_of_equal_files_finds_nothing(tmp_path: Path) -> None:
    """Date, compression and file name are not compared."""
    one, other = make(tmp_path / "a.gen5"), make(tmp_path / "b.gen5", compression="zstd")
    result = run("diff", one, other)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no difference")
    assert "equal  latents: initial_noise, final_latent" in result.stdout.splitlines()
    assert json.loads(run("diff", one, other, "--json").stdout)["differences"] == []


RESOURCE = {"kind": "checkpoint", "name": "sdxl.safetensors"}
RESEEDED = {**PROMPT, "3": {"class_type": "KSampler", "inputs": {"seed": "42", "steps": 20}}}
HALF = NOISE.astype(np.float16)
CHANGES: list[tuple[str, Any, tuple[str, str, str | None, str | None]]] = [
    ("settings", {"seed": 2**64 - 1, "steps": 30, "sampler": "euler"}, ("settings", "steps", "20", "30")),
    ("settings", {"seed": 2**64 - 1, "steps": 20}, ("settings", "sampler", "euler", None)),
    ("prompt", "a dog", ("prompt", "text", "a cat", "a dog")),
    ("model_name", "sd15", ("model", "name", "sdxl", "sd15")),
    ("images", [PIXELS, PIXELS[:9] + 7], ("images", "1", "48 x 64 x 3", "48 x 9 x 3")),
    ("environment", None, ("environment", "all", "stored", None)),
    (
        "environment",
        Environment((Component("numpy", "x"),)),
        ("environment", "numpy", "name=numpy;version=2.1.0", "x"),
    ),
    ("resources", [], ("resources", "checkpoint sdxl.safetensors", '{"digest": "ab"}', None)),
    (
        "resources",
        [{**RESOURCE, "digest": "cd"}],
        ("resources", "checkpoint sdxl.safetensors", '{"digest": "ab"}', '{"digest": "cd"}'),
    ),
    ("comfyui", {"prompt": RESEEDED, "version": "9"}, ("prompt graph", "3.seed", "42", '"42"')),
    (
        "latents",
        {"initial_noise": NOISE[:, :2], "final_latent": HALF},
        ("latents", "initial_noise", "float32 [1, 4, 2, 2]", "float32 [1, 2, 2, 2]"),
    ),
    ("latents", {"initial_noise": NOISE}, ("latents", "final_latent", "float16 [1, 4, 2, 2]", None)),
]


@pytest.mark.parametrize(("field", "value", "expected"), CHANGES)
def test_diff_names_the_one_difference(
    tmp_path: Path, field: str, value: Any, expected: tuple[str, str, str | None, str | None]
) -> None:
    """Each kind of difference is reported with both sides, and nothing else; exit code 1."""
    one, other = make(tmp_path / "a.gen5"), make(tmp_path / "b.gen5", **{field: value})
    result = run("diff", one, other, "--json")
    found = dict(zip(("section", "name", "left", "right"), expected, strict=True))
    found |= {"max_difference": None, "detail": ""}
    assert (result.exit_code, json.loads(result.stdout)["differences"]) == (1, [found])
    text = run("diff", one, other)
    assert (text.exit_code, text.stdout.splitlines()[-1]) == (1, "1 difference")


def test_diff_measures_the_difference_of_images(tmp_path: Path) -> None:
    """The largest difference of two pixel values, how many pixels differ, and the PSNR."""
    changed = PIXELS + 7
    changed[0, :3] += 2
    one, other = make(tmp_path / "a.gen5"), make(tmp_path / "b.gen5", images=[PIXELS, changed])
    (found,) = json.loads(run("diff", one, other, "--json").stdout)["differences"]
    assert (found["section"], found["name"], found["max_difference"]) == ("images", "1", 2.0)
    # mean of squares: 9 of 9216 values differ by 2
    assert found["detail"] == f"3 of 3072 pixels differ, PSNR {10 * np.log10(255**2 * 9216 / 36):.2f} dB"


@pytest.mark.parametrize(
    ("value", "largest", "detail"),
    [
        (15.25, 0.25, "1 of 16 values differ"),
        (np.float32(15.000001), pytest.approx(9.5e-7, rel=0.01), "1 of 16 values differ"),
        (np.nan, None, "1 of 16 values differ"),
        (np.inf, None, "1 of 16 values differ"),
    ],
)
def test_diff_reports_the_largest_difference_of_latents(
    tmp_path: Path, value: float, largest: Any, detail: str
) -> None:
    """One bit is enough to differ; L∞ is None if a value is not finite."""
    changed = NOISE.copy()
    changed.flat[-1] = value
    one = make(tmp_path / "a.gen5", latents={"initial_noise": NOISE})
    other = make(tmp_path / "b.gen5", latents={"initial_noise": changed})
    (found,) = json.loads(run("diff", one, other, "--json").stdout)["differences"]
    assert (found["max_difference"], found["detail"]) == (largest, detail)


def test_nans_with_equal_bits_are_equal_and_minus_zero_is_not(tmp_path: Path) -> None:
    """Bits are compared, since replaying depends on every bit."""
    values = np.array([np.nan, 0.0], np.float32)
    one = make(tmp_path / "a.gen5", latents={"initial_noise": values})
    assert run("diff", one, make(tmp_path / "b.gen5", latents={"initial_noise": values})).exit_code == 0
    other = make(tmp_path / "c.gen5", latents={"initial_noise": values * np.float32(-1)})
    (found,) = json.loads(run("diff", one, other, "--json").stdout)["differences"]
    assert found["max_difference"] in (0.0, None)


def test_images_of_equal_pixels_are_equal(tmp_path: Path) -> None:
    """The encoding and the texts of an image are not compared."""
    one = make(tmp_path / "a.gen5", comfyui=None, images=PIXELS)
    other = make(
        tmp_path / "b.gen5", comfyui=None, images=gen5core.encode_image(PIXELS, text={"a": "b"}, level=9)
    )
    assert run("diff", one, other).exit_code == 0


def test_a_long_list_of_differences_is_truncated(tmp_path: Path) -> None:
    """The table has the first forty rows and a note; --json has all."""
    graphs = [{"prompt": {str(n): {"inputs": {"x": n + step}} for n in range(50)}} for step in (0, 1)]
    one, other = (make(tmp_path / f"{n}.gen5", comfyui=graph, images=()) for n, graph in enumerate(graphs))
    lines = run("diff", one, other).stdout.splitlines()
    assert "  … and 10 more; --json has all" in lines
    assert lines[-1] == "50 differences"
    assert len(json.loads(run("diff", one, other, "--json").stdout)["differences"]) == 50


def test_diff_of_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    """Damage is not a difference: the original file may be equal."""
    result = run("diff", make(tmp_path / "a.gen5"), damaged(tmp_path / "b.gen5"))
    assert (result.exit_code, "b.gen5: chunk 0" in result.stderr) == (2, True)


# import, export, scrub


@pytest.mark.parametrize("command", ["extract", "export --to gen5", "export --to png"])
def test_a_record_is_never_replaced_by_its_own_extract(tmp_path: Path, command: str) -> None:
    """A PNG with a record is refused as its own output under any path, even with --force."""
    path = make(tmp_path / "cat.png")
    (tmp_path / "link.png").symlink_to(path)
    before = path.read_bytes()
    verb, *options = command.split()
    for out in (path, tmp_path / "link.png", tmp_path / ".." / tmp_path.name / "cat.png"):
        result = run(verb, path, *options, "-o", out, "--force")
        assert (result.exit_code, result.stderr) == (2, f"gen5core: error: {out}: {ITSELF}\n")
    assert before == path.read_bytes()


def test_import_and_export_round_trip(tmp_path: Path) -> None:
    """A .latent exported from a file and imported again has the same noise and graphs."""
    path = make(tmp_path / "a.gen5")
    assert run("export", path, "--to", "latent", "-o", tmp_path / "a.latent").output == ""
    result = run(
        "import", tmp_path / "a.latent", "-o", tmp_path / "b.gen5", "--as", "initial_noise", "--json"
    )
    assert json.loads(result.stdout) == {"output": str(tmp_path / "b.gen5"), "notes": []}
    with gen5core.open(tmp_path / "b.gen5") as file:
        np.testing.assert_array_equal(file.latents["initial_noise"].array(), NOISE)
        assert file.comfyui == {"prompt": PROMPT, "workflow": WORKFLOW}


@pytest.mark.parametrize(
    ("name", "start"), [("x.png", b"\x89PNG"), ("x.safetensors", b""), ("x.latent", b"")]
)
def test_export_takes_the_kind_from_the_suffix(tmp_path: Path, name: str, start: bytes) -> None:
    """--to is only needed if the suffix does not give the kind."""
    path = make(tmp_path / "a.gen5")
    assert run("export", path, "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / name).read_bytes().startswith(start)
    assert run("export", path, "-o", tmp_path / name).exit_code == 2
    assert run("export", path, "-o", tmp_path / name, "--force").exit_code == 0


def test_import_reports_what_it_changed(tmp_path: Path) -> None:
    """An old latent is scaled, with a note on stderr."""
    from safetensors.numpy import save_file

    save_file({"latent_tensor": NOISE}, tmp_path / "x.latent")
    result = run("import", tmp_path / "x.latent", "-o", tmp_path / "x.gen5")
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        f"gen5core: note: {tmp_path}/x.latent has no latent_format_version_0: multiplied by 1/0.18215, "
        "as ComfyUI's Load Latent does\n",
    )


def test_scrub_lists_what_it_dropped(tmp_path: Path) -> None:
    """One line for each dropped item, then their number; the same with --json and with --dry-run."""
    path = make(tmp_path / "a.gen5", images=())
    dropped = [
        "hardware_info.machine_name",
        "comfyui.workflow",
        "comfyui.prompt.10.inputs.image: '/home/anna/cat.png' is now 'cat.png'",
    ]
    dry = run("scrub", path, "--dry-run")
    assert dry.stdout.splitlines() == [*(f"dropped  {line}" for line in dropped), "3 things would be dropped"]
    assert os.listdir(tmp_path) == ["a.gen5"]
    result = run("scrub", path, "-o", tmp_path / "b.gen5")
    assert result.stdout.splitlines() == [*(f"dropped  {line}" for line in dropped), "3 things dropped"]
    result = run("scrub", path, "-o", tmp_path / "b.gen5", "--force", "--json")
    assert json.loads(result.stdout) == {"output": str(tmp_path / "b.gen5"), "dropped": dropped}
    assert run("scrub", tmp_path / "b.gen5", "--dry-run").stdout == "found nothing to drop\n"
    assert run("verify", tmp_path / "b.gen5").exit_code == 0


def test_wide_values_are_not_called_narrow(tmp_path: Path) -> None:
    """float64, whose bits are cut into words of float32, is listed as float64; bfloat16 as what it was widened to."""
    path = make(tmp_path / "a.gen5", latents={"initial_noise": NOISE.astype(np.float64), "b": NOISE > 3})
    lines = run("info", path).stdout.splitlines()
    assert [line.split()[:2] for line in lines if line.split()[:1] in (["initial_noise"], ["b"])] == [
        ["initial_noise", "float64"],
        ["b", "bool"],
    ]
    assert [" as " in line for line in lines if "float64" in line] == [False]
    found = json.loads(run("info", path, "--json").stdout)["latents"]
    assert [(one["dtype"], one["stored_dtype"]) for one in found] == [
        ("float64", "float32"),
        ("bool", "float16"),
    ]


def test_a_wide_latent_is_extracted_as_it_is(tmp_path: Path) -> None:
    """The .npy has the dtype that was saved."""
    path = make(tmp_path / "a.gen5", latents={"initial_noise": NOISE.astype(np.complex128)})
    assert run("extract", path, "--latent", "initial_noise", "-o", tmp_path / "a.npy").exit_code == 0
    array = np.load(tmp_path / "a.npy")
    assert (array.dtype, array.tolist()) == (np.dtype(np.complex128), NOISE.tolist())
