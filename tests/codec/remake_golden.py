"""Make the lossy golden files again, after new weights of an experimental format.

`python -m tests.codec.remake_golden`. The lossless ones need no weights and stay as they are.
"""

import json

from skimage.data import astronaut

from tests.codec.test_golden import EXPECTED, FOLDER, latents_digest
from unpool.codec import api
from unpool.images.picture import Picture


def main() -> None:
    colour = astronaut()[60:117, 190:261].copy()
    files = {
        "lossy-rgb-q20.unp": api.compress(Picture(colour), 20),
        "lossy-rgb-q85.unp": api.compress(Picture(colour), 85),
        "lossy-grey-alpha-q60.unp": api.compress(Picture(colour[:, :, :1], alpha=colour[:, :, 2]), 60, tile=64),
    }
    checksums = {name: value for name, value in EXPECTED.items() if name.startswith("lossless")}
    for name, data in files.items():
        (FOLDER / name).write_bytes(data)
        checksums[name] = latents_digest(data)
        print(f"{name}: {len(data)} bytes")
    (FOLDER / "checksums.json").write_text(json.dumps(checksums, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
