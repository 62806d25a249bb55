"""Where data lies on this machine: sets, and the packs made from them."""

import difflib
import os
from pathlib import Path

import platformdirs

from unpool.errors import DataError
from unpool.train.data.sets import SETS


def roots(data: str | Path | None = None) -> list[Path]:
    """Folders in which sets are looked for, first to last: `data`, $UNPOOL_DATA, ./data, ../shared/data."""
    if data is not None and not Path(data).is_dir():
        raise DataError(f"the data folder {data} does not exist: give --data a folder that does")
    named = [data, os.environ.get("UNPOOL_DATA"), "data", "../shared/data"]
    return [Path(one) for one in named if one and Path(one).is_dir()]


def find(name: str | Path, data: str | Path | None = None) -> Path:
    """The folder of a set known by `name` (see `unpool data list`), or the file or folder that `name` is the path of.

    Args:
        name: a set's name such as `lfw`, a path below a data folder such as `photos/test/kodak`, or any existing path.
        data: the folder to look in first.

    Raises:
        DataError: nothing is there; the message says what to place where.
    """
    known = SETS.get(str(name))
    below = known.folders if known else (str(name),)
    looked_in = roots(data)
    candidates = [root / folder for root in looked_in for folder in below]
    candidates += [Path(folder) for folder in known.installed] if known else [Path(name)]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    where = ", ".join(str(root) for root in looked_in) or "no data folder was found: make ./data or give --data"
    if known:
        raise DataError(
            f"the set {name} is not here: {known.placing()}, where DATA is --data, $UNPOOL_DATA or ./data "
            f"(looked in: {where})"
        )
    near = difflib.get_close_matches(str(name), SETS, n=1)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else "`unpool data list` names the sets, and a path to your own folder or pack is taken too"
    )
    raise DataError(f"there is no data set or path {name}: {hint} (looked in: {where})")


def pack_path(name: str, data: str | Path | None = None) -> Path:
    """Where the pack `name` lies; where it is to be written if it does not exist.

    Packs are kept in `packs/` of the data folder given, in `packs/` of the folder one works in, or else in the user's
    cache folder.
    """
    folders = [Path(data) / "packs"] if data is not None else []
    folders += [Path("packs"), platformdirs.user_cache_path("unpool") / "packs"]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    writable = [folder for folder in folders[:-1] if os.access(folder, os.W_OK)]
    return (writable or folders[-1:])[0] / name
