"""The record inside every weight file: what the network is, where it came from, and what it may be used for."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from unpool.errors import ModelError

FORMAT_VERSION = 1

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)*$", max_length=100)]
Network = Annotated[str, StringConstraints(pattern=r"^unpool(\.[a-z][a-z0-9_]*)+:[A-Za-z][A-Za-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Preprocessing(_Frozen):
    """How a picture becomes the network's input: `(x * (high - low) + low - mean) / std` for x in [0, 1].

    `size` is (height, width) where the network wants one, else None for any size.
    `mean` and `std` are in the units of `range`.
    """

    size: tuple[int, int] | None = None
    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


class Budget(_Frozen):
    """What the training spent. Fields are None where nobody wrote it down."""

    steps: int | None = None
    pictures: int | None = None
    minutes: float | None = None
    hardware: str | None = None
    threads: int | None = None
    precision: str | None = None
    seed: int | None = None
    earlier_pictures: int | None = None  # what the weights that the run went on from had cost, and those before them
    earlier_minutes: float | None = None


class Record(_Frozen):
    """One weight file's record; it travels as JSON in the file's metadata.

    `sha256` is the hash of the tensors (`unpool.zoo.weights.tensor_hash`); `save` fills it in.
    `data_licence` is "research only" where one of the training sets says so, else "commercial".

    >>> Record(name="restoration/tiny", task="restoration", network="unpool.nn.towers:Encoder").commercial
    True
    """

    format_version: Literal[1] = 1
    name: Name
    task: str
    network: Network
    config: dict[str, Any] = Field(default_factory=dict)
    preprocessing: Preprocessing = Preprocessing()
    trained_on: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    data_licence: Literal["commercial", "research only"] = "commercial"
    recipe: dict[str, Any] = Field(default_factory=dict)
    budget: Budget = Budget()
    figures: dict[str, float] = Field(default_factory=dict)
    headline: str = ""
    sha256: Sha256 | None = None
    notes: str = ""

    @property
    def commercial(self) -> bool:
        """Whether code, weights and training data all allow commercial use."""
        return self.data_licence == "commercial"


def parse(text: str, source: str) -> Record:
    """A record from its JSON text; `source` names the file in the error."""
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "record"
        raise ModelError(f"{source}: its record is not one this version reads ({field}: {first['msg']})") from None
