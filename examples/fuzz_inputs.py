"""Damage files of many kinds at random, and let vsr read them: nothing may bring it down.

    python examples/fuzz_inputs.py 100000 --seed 1 --workers 2

reads so many damaged files in worker processes: probe, the first frames, the other streams, and
the import of checkpoints. It ends with 1 when a file hung, took too much memory, or raised what is
not meant for users. A crash inside FFmpeg ends a worker, not the run, as `--sandbox-decode` does
for jobs; each is listed with the seed and number that make its file again:

    python examples/fuzz_inputs.py --seed 1 --make 4711 --into /tmp

Needs what the tests need: pip install '.[test]', from a clone.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz.seeds import make_seeds  # noqa: E402
from fuzz.workers import Tally, fuzz, written  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("inputs", nargs="?", type=int, default=1000, help="how many files")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after that")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--make", type=int, help="only write the file with this number")
    parser.add_argument("--into", type=Path, default=Path(), help="where --make writes it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seeds").mkdir()
        seeds = make_seeds(folder / "seeds")
        if given.make is not None:
            print(written(given.seed, given.make, seeds, given.into))
            return 0
        end = time.monotonic() + 60 * given.minutes
        said = [time.monotonic()]

        def stop(tally: Tally) -> bool:
            if time.monotonic() > said[-1] + 60:
                said.append(time.monotonic())
                print(tally, file=sys.stderr, flush=True)
            return time.monotonic() > end

        numbers = itertools.count(given.first)
        numbers = itertools.islice(numbers, given.inputs)
        tally = fuzz(given.seed, numbers, seeds, folder, given.workers, stop)
    print(tally)
    for kind in ("crashes", "hangs", "faults"):
        for line in getattr(tally, kind):
            print(f"{kind}: {line}")
    return 1 if tally.hangs or tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
