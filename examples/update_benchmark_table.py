"""Write the results kept in examples/benchmarks into README.md, between its two markers.

    python examples/update_benchmark_table.py [README] [FOLDER]

Each file there is what `vsr bench --json FILE` wrote on the machine that it names.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vsrcli.bench.result import Result, read_result
from vsrcli.bench.table import explained, in_markdown, table_of_jobs, table_of_rows

BEGIN = "<!-- benchmarks: made by examples/update_benchmark_table.py -->"
END = "<!-- end of benchmarks -->"

ABOUT = """\
Made by `vsr bench --json`, a part a machine. A model alone runs in the stream in which jobs run it,
on frames in memory, once the stream flows: median and quartiles of its steps, each of which gives
as many frames as stand under "at once". GFLOP are of an output frame, counted from the network; the
peak is the best of convolutions and matrix products in the same precision and the same run. An
asterisk marks random weights, which take as long as trained ones.
"""

EXAMPLES = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readme", nargs="?", type=Path, default=EXAMPLES.parent / "README.md")
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES / "benchmarks")
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.json"))
    parts = [ABOUT, *(section(file.name, read_result(file)) for file in files)]
    text = "\n" + "\n".join(parts) + "\n" if files else ""
    readme = arguments.readme.read_text(encoding="utf-8")
    arguments.readme.write_text(replaced(readme, text), encoding="utf-8")


def section(name: str, result: Result) -> str:
    """The Markdown about one file of that name."""
    about = " ".join(explained(result)).replace("*", r"\*")
    parts = [f"`examples/benchmarks/{name}`: {about}\n"]
    if result.rows:
        parts.append(in_markdown(table_of_rows(result.rows)))
    if result.jobs:
        parts.append(in_markdown(table_of_jobs(result.jobs)))
    return "\n".join(parts)


def replaced(readme: str, text: str) -> str:
    """`readme` with `text` between the markers."""
    before, found, rest = readme.partition(BEGIN)
    _, also_found, after = rest.partition(END)
    if not found or not also_found:
        sys.exit(f"The README needs the lines\n{BEGIN}\n{END}")
    return f"{before}{BEGIN}\n{text}{END}{after}"


if __name__ == "__main__":
    main()
