"""DICOM in and out: bits, units and patient data stay."""

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from unpool.errors import PictureError
from unpool.restoration.dicom import is_dicom, restore_dicom, window


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
@pytest.mark.parametrize("model", ["cleaner", "enlarger"])
def test_round_trip(name, model, tmp_path, request):
    source = get_testdata_file(name)
    before = pydicom.dcmread(source)
    plan = restore_dicom(source, tmp_path / "out.dcm", model=request.getfixturevalue(model))
    after = pydicom.dcmread(tmp_path / "out.dcm")
    factor = int(plan.scale)
    assert after.pixel_array.shape == (before.Rows * factor, before.Columns * factor)
    for tag in ("PatientName", "PatientID", "BitsStored", "BitsAllocated", "PixelRepresentation", "StudyInstanceUID"):
        assert after.get(tag) == before.get(tag), tag
    assert after.get("RescaleIntercept") == before.get("RescaleIntercept")
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.ImageType[0] == "DERIVED"
    assert float(after.PixelSpacing[0]) == pytest.approx(float(before.PixelSpacing[0]) / factor)
    assert not np.array_equal(after.pixel_array, before.pixel_array)
    small = after.pixel_array.astype(float).reshape(before.Rows, factor, before.Columns, factor).mean((1, 3))
    assert np.corrcoef(small.ravel(), before.pixel_array.ravel())[0, 1] > 0.99


def test_values_outside_the_window_stay(tmp_path, cleaner):
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.WindowCenter, dataset.WindowWidth = 40, 200
    dataset.save_as(tmp_path / "in.dcm")
    restore_dicom(tmp_path / "in.dcm", tmp_path / "out.dcm", model=cleaner)
    before, after = dataset.pixel_array - 1024.0, pydicom.dcmread(tmp_path / "out.dcm").pixel_array - 1024.0
    assert window(dataset, before) == (-60, 140)
    air = before < -600
    assert np.abs(after - before)[air].max() <= 0.1 * 200  # the answer moves by at most a share of the window
    assert before[air].min() < -800


def test_what_is_no_dicom_picture_is_refused(tmp_path):
    (tmp_path / "x.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"rubbish")
    assert is_dicom(tmp_path / "x.dcm")
    assert not is_dicom(tmp_path / "absent.dcm")
    with pytest.raises(PictureError):
        restore_dicom(tmp_path / "x.dcm", tmp_path / "y.dcm")
    with pytest.raises(PictureError, match="several frames or colour"):
        restore_dicom(get_testdata_file("examples_rgb_color.dcm"), tmp_path / "y.dcm")


def test_every_spacing_follows_and_large_pictures_are_refused(tmp_path, enlarger):
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.ImagerPixelSpacing = [0.2, 0.4]
    dataset.save_as(tmp_path / "in.dcm")
    restore_dicom(tmp_path / "in.dcm", tmp_path / "out.dcm", model=enlarger)
    after = pydicom.dcmread(tmp_path / "out.dcm")
    factor = after.Rows / dataset.Rows
    assert [float(one) * factor for one in after.ImagerPixelSpacing] == pytest.approx([0.2, 0.4])
    with pytest.raises(PictureError, match="more than 10: raise"):
        restore_dicom(tmp_path / "in.dcm", tmp_path / "again.dcm", model=enlarger, max_pixels=10)
    assert not (tmp_path / "again.dcm").exists()
