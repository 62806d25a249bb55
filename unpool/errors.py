"""What a user can do wrong, each with a sentence that says what was wrong and what to do."""


class UnpoolError(Exception):
    """A mistake the caller can mend. The command line prints it as one line and exits with status 2."""


class PictureError(UnpoolError):
    """A file or array that cannot be read as a picture, or a picture that cannot be written as asked."""


class ModelError(UnpoolError):
    """A model that is unknown, damaged, or not made for what it was asked to do."""


class DataError(UnpoolError):
    """A data set that is missing, or whose files are not what they should be."""


class RecipeError(UnpoolError):
    """A recipe or a setting that does not validate."""


class BitstreamError(UnpoolError):
    """Bytes that are not a compressed picture this version can decode."""


class MissingExtraError(UnpoolError):
    """A verb that needs a package which is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs an extra that is not installed: pip install "unpool[{extra}]"')


class GalleryError(UnpoolError):
    """A gallery that cannot be opened, read or changed as asked."""
