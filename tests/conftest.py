"""Settings for all tests: nothing is written to the user's home folder, and no test has a time limit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def _private_gen5_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the per-install key of machine names in a temporary folder, in child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEN5_HOME", str(tmp_path_factory.mktemp("gen5-home")))
        yield
