"""Write weights/catalogue.json anew, from what the weights files beside it say of themselves.

    python examples/update_catalogue.py [FOLDER]

For after `vsr train --export weights/NAME.safetensors`. Every file is loaded as users will load it;
names stay in the order that they are in, and new ones come last.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from vsrcli.zoo.catalogue import weights_folder
from vsrcli.zoo.weights import load_weights, read_header


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=weights_folder())
    folder = parser.parse_args().folder
    target = folder / "catalogue.json"
    known = list(json.loads(target.read_text())) if target.exists() else []
    files = {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
    names = [name for name in known if name in files]
    names += [name for name in files if name not in names]
    rows = {name: row_of(files[name]) for name in names}
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"{target}: {', '.join(rows)}")


def row_of(path: Path) -> dict[str, object]:
    """What the catalogue keeps of a weights file."""
    header = read_header(path)
    (scale, *_) = load_weights(path).spec.scales
    row: dict[str, object] = {
        "network": header["network"],
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "scale": scale,
        "degradation": header["degradation"],
        "training": header["training"],
        "licence": header["licence"],
    }
    # What spmc-x2 is called when the scale is understood.
    model = path.stem.replace(f"-x{scale}", "")
    return row if model == path.stem else row | {"model": model}


if __name__ == "__main__":
    main()
