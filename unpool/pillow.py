"""Pillow plugin: after `import unpool.pillow`, `PIL.Image.open` and `Image.save` work on `.unp` files.

Saving takes `quality`, `lossless`, `effort`, `bpp`, `psnr` and `size` as `unpool.compress` does.
"""

import os
from typing import IO, Any

from PIL import Image, ImageFile

from unpool.codec import api, container
from unpool.errors import BitstreamError, UnpoolError
from unpool.images.reading import read

FORMAT = "UNP"
_SETTINGS = ("quality", "lossless", "effort", "bpp", "psnr", "size")


class UnpImageFile(ImageFile.ImageFile):
    """A `.unp` file as Pillow sees it: size and mode from the header, pixels when they are asked for."""

    format = FORMAT
    format_description = "unpool learned image file"

    def _open(self) -> None:
        assert self.fp is not None
        self._data: bytes | None = self.fp.read()
        try:
            header = container.read_header(self._data)
        except BitstreamError as error:
            raise SyntaxError(str(error)) from None
        self._size = header.width, header.height
        self._mode = ("LA" if header.alpha else "L") if header.grey else ("RGBA" if header.alpha else "RGB")
        self.tile = []

    def load(self) -> Any:
        """Decode the picture, once; errors are OSError, as Pillow's users expect. 16 bits become 8."""
        if self._data is not None:
            try:
                picture = api.decompress(self._data)
            except UnpoolError as error:
                raise OSError(str(error)) from None
            self.im = picture.to_pil().im
            if picture.exif is not None:
                self.info["exif"] = picture.exif
            self._data = None
        return super().load()


def _save(image: Image.Image, file: IO[bytes], filename: str | os.PathLike[str] | bytes) -> None:
    settings = {name: image.encoderinfo[name] for name in _SETTINGS if name in image.encoderinfo}
    try:
        file.write(api.compress(read(image), **settings))
    except UnpoolError as error:
        raise ValueError(str(error)) from None


Image.register_open(FORMAT, UnpImageFile, lambda prefix: prefix.startswith(container.MAGIC))
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".unp")
Image.register_mime(FORMAT, "image/x-unp")
