"""Run the commands of the models' cards anew, and compare with the scores beside the cards.

    python examples/check_cards.py CLIPS [MODEL ...]

CLIPS is a folder with the clips that the cards name, anywhere in it. Clips and weights of other
content are told by their SHA-256. Ends with 1 if a figure differs by more than its last digit.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parents[1] / "weights"
DIGITS = {"psnr_y": 0.01, "psnr_rgb": 0.01, "ssim_y": 0.0001, "vmaf": 0.1, "tof": 0.01}
"""What is compared: dB, dB, 1, 1, pixels; the last digit that cards and README give of each."""

Rows = dict[tuple[str, str, str], dict[str, Any]]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    clips, names = Path(sys.argv[1]), sys.argv[2:]
    failed = False
    for name in names or sorted(path.stem for path in WEIGHTS.glob("*.json") if is_card(path)):
        kept = json.loads((WEIGHTS / f"{name}.json").read_text())
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "scores.json"
            words = ["--quiet", "--json", str(target), *located(options(name), clips)]
            subprocess.run(["vsr", "eval", *words], check=True, stdout=subprocess.DEVNULL)
            found = json.loads(target.read_text())
        worst, wrong = compare(rows_of(kept), rows_of(found))
        print(f"{name}: {'differs' if wrong else 'as in its card'}; {worst}", flush=True)
        print("".join(f"    {line}\n" for line in wrong), end="", flush=True)
        failed |= bool(wrong)
    sys.exit(failed)


def is_card(scores: Path) -> bool:
    """Whether a card stands beside this JSON file."""
    return scores.with_suffix(".md").exists()


def options(name: str) -> list[str]:
    """Those of `vsr eval` in the card of a model, without the last, `--json weights/NAME.json`."""
    text = (WEIGHTS / f"{name}.md").read_text()
    (command,) = re.findall(
        rf"^    vsr eval ((?:.*\\\n)*.*) --json weights/{name}\.json$", text, re.M
    )
    return shlex.split(command.replace("\\\n", " "))


def located(words: list[str], clips: Path) -> list[str]:
    """The words with the clips where they are; `CLIPS` is where the shaken one lies."""
    places = {path.name: path for path in sorted(clips.rglob("*")) if path.is_file()}
    if "CLIPS" in words:
        places["CLIPS"] = places["shake_blur.mkv"].parent
    return [str(places.get(word, word)) for word in words]


def rows_of(scores: dict[str, Any]) -> Rows:
    """The scores of every clip and the mean, by clip, model and part of the frames; and the hashes
    of clips and weights."""
    rows = [*scores["mean"], *(row for clip in scores["clips"] for row in clip["rows"])]
    files = {("clip", clip["name"], ""): clip for clip in scores["clips"]}
    files |= {("weights", name, ""): model for name, model in scores["models"].items()}
    return {**files, **{(row["clip"], row["model"], row["part"]): row for row in rows}}


def compare(kept: Rows, found: Rows) -> tuple[str, list[str]]:
    """The largest differences in words, and a line for each that is too large."""
    wrong = [f"{' '.join(key)} is in one of the two only" for key in kept.keys() ^ found.keys()]
    largest = dict.fromkeys(DIGITS, 0.0)
    for key in kept.keys() & found.keys():
        old, new = kept[key], found[key]
        if old.get("sha256") != new.get("sha256"):
            wrong.append(f"{' '.join(key).strip()} is another file than the one scored")
        for measure, digit in DIGITS.items():
            if old.get(measure) is None:
                continue
            difference = abs(old[measure] - new[measure])
            largest[measure] = max(largest[measure], difference)
            if difference > digit:
                wrong.append(f"{' '.join(key)} {measure}: {new[measure]}, not {old[measure]}")
    return ", ".join(f"{name} within {most:.2g}" for name, most in largest.items()), sorted(wrong)


if __name__ == "__main__":
    main()
