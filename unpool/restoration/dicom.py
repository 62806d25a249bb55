"""Medical pictures: one grey DICOM frame in, one out, in its own units; patient data is carried over untouched."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unpool.errors import MissingExtraError, PictureError
from unpool.images.atomic import atomic
from unpool.images.picture import Picture
from unpool.images.reading import MAX_PIXELS
from unpool.images.resampling import imresize
from unpool.restoration.plan import Plan, Step, Wish, make_plan

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")  # of slices, X-rays, and scans


def is_dicom(path: str | Path) -> bool:
    """Whether a file announces itself as DICOM."""
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _read(path: str | Path, max_pixels: int) -> tuple[Any, np.ndarray]:
    """The data set and its stored values (H, W)."""
    try:
        import pydicom
    except ImportError:
        raise MissingExtraError("DICOM", "dicom") from None
    try:
        dataset = pydicom.dcmread(path)
        pixels = int(dataset.get("Rows", 0)) * int(dataset.get("Columns", 0))
        stored = dataset.pixel_array if pixels <= max_pixels else np.empty(0)
    except Exception as error:  # pydicom raises whatever its parsers raise
        raise PictureError(f"{path} is not a DICOM file with a picture that can be read: {error}") from None
    if pixels > max_pixels:
        raise PictureError(f"{path} has {pixels:,} pixels, more than {max_pixels:,}: raise max_pixels (--max-pixels)")
    if stored.ndim != 2 or dataset.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise PictureError(f"{path} holds several frames or colour: give one grey frame")
    return dataset, stored


def window(dataset: Any, values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value shown, in the modality's units: from the tags, else all but the outermost 0.5 %."""

    def first(tag: str) -> float | None:
        value = dataset.get(tag)
        many = getattr(value, "VM", 1) > 1 or isinstance(value, list)
        return None if value in (None, "") else float(value[0] if many else value)

    centre, width = first("WindowCenter"), first("WindowWidth")
    if centre is not None and width is not None and width > 1:
        return centre - width / 2, centre + width / 2
    low, high = np.quantile(values, [0.005, 0.995])
    return float(low), float(max(high, low + 1))


def restore_dicom(source: str | Path, out: str | Path, *, max_pixels: int = MAX_PIXELS, **options: Any) -> Plan:
    """Restore one DICOM file into another, options as for `unpool.restore`. Returns what was done.

    The model sees the window [0, 1]; what lies outside the window keeps its value (enlarged bicubically). Values keep
    their bits, rescale slope and intercept. The result says that it is derived, and has
    an identifier of its own.

    Raises:
        PictureError: not a DICOM file, not one grey frame, or more pixels than `max_pixels`.
    """
    dataset, stored = _read(source, max_pixels)
    slope, intercept = float(dataset.get("RescaleSlope", 1) or 1), float(dataset.get("RescaleIntercept", 0) or 0)
    values = stored * slope + intercept
    low, high = window(dataset, values)
    shown = torch.from_numpy((values - low) / (high - low)).float()[None, None]
    wish = Wish(**options)
    plan = make_plan(wish, Picture.from_tensor(shown.clamp(0, 1), 16))
    for step in plan.steps:
        shown = _mended(step, shown, wish.strength)
    mended = shown[0, 0].double().numpy() * (high - low) + low
    levels = np.rint((mended - intercept) / slope)
    _write(dataset, levels, plan, out)
    return plan


def _mended(step: Step, shown: Tensor, strength: float) -> Tensor:
    """The step's answer inside the window, and outside it the values themselves."""
    inside = shown.clamp(0, 1)
    answer = step.tensor(inside, strength)
    if step.scale == 1:
        return shown + answer - inside
    return imresize(shown, step.scale) + answer - imresize(inside, step.scale)


def _write(dataset: Any, levels: np.ndarray, plan: Plan, out: str | Path) -> None:
    import pydicom

    signed, bits = dataset.PixelRepresentation == 1, dataset.BitsStored
    lowest, highest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    kind = np.dtype(f"{'i' if signed else 'u'}{dataset.BitsAllocated // 8}")
    made = copy.deepcopy(dataset)
    made.set_pixel_data(
        np.clip(levels, lowest, highest).astype(kind),
        dataset.PhotometricInterpretation,
        bits,
        generate_instance_uid=True,
    )
    for name in _SPACINGS if plan.scale != 1 else ():
        if name in made:
            setattr(made, name, [round(float(spacing) / plan.scale, 8) for spacing in made[name].value])
    made.ImageType = ["DERIVED", *list(dataset.get("ImageType", ["ORIGINAL", "PRIMARY"]))[1:]]
    made.DerivationDescription = f"unpool: {', '.join(plan.names) or 'nothing changed'}"
    with atomic(out) as beside:
        pydicom.dcmwrite(beside, made, enforce_file_format=True)
