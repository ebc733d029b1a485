from __future__ import annotations

import sys

if __name__ == "__main__":
    # Not before: a process that runs a mutant must not have imported its module.
    from tests.kernels.mutants.command import main

    sys.exit(main())
