"""Coverage-guided mutants of one kind, with Google's atheris where it is installed (it is no dependency of packnet).

    python -m tests.faults.guided header -runs=100000           (options of libFuzzer; a folder keeps what it finds)

What changes the path through packnet's code is kept and changed further. A failure ends the run, with its input.
"""

import os
import sys
import tempfile
from pathlib import Path


def main() -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris; or use python -m tests.faults.mutants")
    with atheris.instrument_imports(include=["packnet_core.schema", "packnet_core.files", "packnet_core.packfile",
                                             "packnet_core.jobs", "packnet_core.engine"]):  # fmt: skip
        from tests.faults.hostile_files import KINDS, World
        from tests.faults.mutants import attempt
    kind = sys.argv[1]
    folder = Path(tempfile.mkdtemp(prefix="guided-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    world = World(folder).__enter__()
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, raw in enumerate(KINDS[kind].seeds(world)):
        (seeds / str(number)).write_bytes(raw)

    def try_one(raw: bytes) -> None:
        if (found := attempt(kind, world, raw)) is not None:
            raise AssertionError(found)

    atheris.Setup([sys.argv[0], *sys.argv[2:], "-max_len=65536", str(seeds)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
