"""``python -m shop`` judges this environment's settings without starting anything."""

from __future__ import annotations

import os
import sys

from shop import config


def main() -> int:
    """Print one sentence per fault, or that the settings are sound; 1 when there is a fault."""
    _, faults = config.read(os.environ)
    print("\n".join(faults) or "settings are sound")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
