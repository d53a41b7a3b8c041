"""How many hard files come through vsr as they should, beside plain ffmpeg.

The files are those of `tests/corpus`, made here; each says what must come out, and the same checks
are made of all programs: frames and their instants, pictures, shape, colours and depth, every
other stream byte by byte and in step, and a refusal where there is nothing to be had. ffmpeg is
not asked for words. It runs as most type it, and with all streams mapped and copied:

    ffmpeg -i IN -vf scale=2*iw:2*ih OUT
    ffmpeg -i IN -map 0 -c:a copy -c:s copy -vf scale=2*iw:2*ih OUT

both with the encoder and the quality that vsr is given. Needs what the tests need:

    python examples/score_hard_files.py
    python examples/score_hard_files.py --why picture damage
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "corpus")]

from case import Case, Kept  # noqa: E402
from checking import faults, source_view  # noqa: E402
from ffmpeg import FFMPEG  # noqa: E402
from harness import run  # noqa: E402

from vsrcli.media.encoders import EncodeOptions  # noqa: E402

CLASSES = ("time", "streams", "containers", "picture", "damage")
WAYS = {
    "ffmpeg, as typed": [],
    "ffmpeg, all mapped": ["-map", "0", "-c:a", "copy", "-c:s", "copy"],
}
_ENCODERS = {"hevc": "libx265", "prores": "prores_ks", "ffv1": "ffv1", "vp9": "libvpx-vp9"}


def quality(case: Case) -> list[str]:
    """ffmpeg's options for the encoder that vsr is to use."""
    options = case.options.get("encode", EncodeOptions(crf=4, preset="ultrafast"))
    suffix = Path(case.target).suffix
    if suffix in (".png", ".jpg"):
        return []
    if suffix == ".webm":
        return ["-b:v", "0", "-crf", "4", "-cpu-used", "8"]
    if options.codec is None and suffix not in (".mp4", ".mov", ".mkv", ".ts", ".m2ts"):
        return ["-q:v", "2"]
    words = ["-c:v", _ENCODERS.get(options.codec or "", "libx264")]
    if options.crf is not None:
        words += ["-crf", f"{options.crf:g}"]
    return words + (["-preset", options.preset] if options.preset else [])


def ffmpeg_faults(case: Case, folder: Path, options: list[str]) -> list[str]:
    """What is wrong with what plain ffmpeg makes of a case."""
    (folder / "in").mkdir(parents=True)
    source = case.make(folder / "in")
    target = folder / case.target
    command = [FFMPEG, "-nostdin", "-loglevel", "error", "-i", source, *options]
    command += ["-vf", "scale=2*iw:2*ih", *quality(case), target]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if not isinstance(case.expected, Kept):
        return [] if done.returncode else ["not refused"]
    if done.returncode or not target.exists():
        return [f"it fails: {done.stderr.decode(errors='replace').strip().splitlines()[:1]}"]
    try:
        return faults(case, source, source_view(source, case.expected), target, None)
    except AssertionError as error:
        return [f"the output cannot be read: {str(error).splitlines()[-1:]}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("classes", nargs="*", default=CLASSES, metavar="CLASS", help="of files")
    parser.add_argument("--why", action="store_true", help="print what is wrong")
    given = parser.parse_args()
    right: dict[str, Counter[str]] = {name: Counter() for name in ("vsr", *WAYS)}
    total: Counter[str] = Counter()
    for kind in given.classes:
        for case in importlib.import_module(f"test_{kind}").CASES:
            total[kind] += 1
            with tempfile.TemporaryDirectory() as name:
                (Path(name) / "vsr").mkdir()
                found = {"vsr": run(case, Path(name) / "vsr")}
                for way, options in WAYS.items():
                    found[way] = ffmpeg_faults(case, Path(name) / way, options)
            for way, wrong in found.items():
                right[way][kind] += not wrong
                if wrong and given.why:
                    print(f"{kind} {case.name}, {way}: {'; '.join(wrong)}", file=sys.stderr)
    print("| hard files | all |", " | ".join(right), "|")
    print("|---|" + "---:|" * (1 + len(right)))
    for kind in (*given.classes, "all"):
        counts = [total, *right.values()]
        cells = [count.total() if kind == "all" else count[kind] for count in counts]
        print(f"| {kind} |", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    main()
