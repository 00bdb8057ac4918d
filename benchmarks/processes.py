"""Benchmarks that need a process of their own: peak memory of a save, time of an import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from measure import milliseconds, time_in_turns
from table import print_table

MEMORY_PROGRAM = """
import sys
import numpy as np
import gen5core
gen5core.save, gen5core.Environment  # loaded now, since names of gen5core load on first use

def peak_bytes():  # of this program; ru_maxrss would include the parent's memory
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024

path = sys.argv[1]
gen5core.save(path, latents={"initial_noise": np.zeros(4, np.float32)}, images=np.zeros((8, 8, 3), np.uint8))
before = peak_bytes()
rng = np.random.default_rng(0)
latents = {name: rng.standard_normal(2**25, np.float32) for name in ("initial_noise", "final_latent")}
images = rng.integers(0, 255, (8, 1024, 1024, 3), np.uint8)
gen5core.save(path, latents=latents, images=images, compression=sys.argv[2])
payload = sum(array.nbytes for array in latents.values()) + images.nbytes
print((peak_bytes() - before) / payload)
"""


def bench_memory(folder: Path) -> None:
    """Peak memory of a save of 280 MiB, including the payloads."""
    if not Path("/proc/self/status").exists():
        print("\nPeak memory is measured on Linux only")
        return
    rows = []
    for compression in ("none", "auto", "zstd"):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY_PROGRAM, str(folder / "memory.gen5"), compression],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append((compression, f"{float(done.stdout):.2f}"))
    print_table("Peak memory of a save, the payloads included", ("compression", "memory / payloads"), rows)


def bench_import(folder: Path) -> None:
    """Import time in a new process, minus that of an empty interpreter."""

    def run(program: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", program], check=True)

    programs = {
        "nothing": "pass",
        "import numpy": "import numpy",
        "import gen5core": "import gen5core",
        "import gen5core, and save": "import gen5core; gen5core.save, gen5core.open",
        "import gen5 (0.1.0)": "import warnings; warnings.simplefilter('ignore'); import gen5",
    }
    times = time_in_turns({name: run(program) for name, program in programs.items()}, rounds=7)
    empty = times.pop("nothing")
    print_table(
        "Importing, in a fresh process",
        ("what", "time", "loads torch"),
        [
            (name, milliseconds(max(seconds - empty, 0)), _loads_torch(programs[name]))
            for name, seconds in times.items()
        ],
    )


def _loads_torch(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return "yes" if done.stdout.strip() == "True" else "no"
