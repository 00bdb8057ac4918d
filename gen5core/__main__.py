"""``python -m gen5core``."""

import sys

from .cli import main

sys.exit(main())
