"""Example settings and hardware from the 0.1.0 format page."""

from typing import Any

SETTINGS: dict[str, Any] = {
    "seed": 42,
    "steps": 20,
    "sampler": "ddim",
    "cfg_scale": 7.5,
    "scheduler": "pndm",
    "eta": 0.0,
    "guidance": "classifier-free",
    "precision": "fp16",
    "deterministic": True,
}
HARDWARE: dict[str, Any] = {
    "machine_name": "test_machine",
    "os": "linux",
    "cpu": "Intel",
    "cpu_cores": 8,
    "gpu": [{"name": "RTX 3090", "memory_gb": 24, "driver": "nvidia", "cuda_version": "12.1"}],
    "ram_gb": 64.0,
    "framework": "torch",
    "compute_lib": "cuda",
}
