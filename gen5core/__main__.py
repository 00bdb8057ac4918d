"""Run the command: ``python -m gen5core``."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
