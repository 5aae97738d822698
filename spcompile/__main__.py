"""python -m spcompile"""

import sys

from spcompile.cli import main

if __name__ == "__main__":
    sys.exit(main())
