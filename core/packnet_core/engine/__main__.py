"""`python -m packnet_core.engine FILE`: how a client starts an engine."""

import sys

from packnet_core.engine.server import serve
from packnet_core.errors import PacknetError

if __name__ == "__main__":
    try:
        serve(sys.argv[1], *map(float, sys.argv[2:]))
    except PacknetError as error:
        sys.exit(str(error))
