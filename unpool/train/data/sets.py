"""The public data sets unpool knows: where they come from, under which licence, and where they are looked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """One file of a set: its address, its hash as `algorithm:hex` (empty where none is known), whether it is unpacked.

    `keep` are patterns of the archive's entries to take; they then go into the set's folder itself.
    """

    address: str
    hash: str = ""
    unpack: bool = False
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A public set, or a place for one's own (no `page`).

    `folders` are looked for below each data folder, `contains` is what such a folder must hold.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    contains: str
    page: str
    licence: str
    use: str
    downloads: tuple[Download, ...] = ()
    installed: tuple[str, ...] = ()  # absolute folders where a distribution's package puts it
    package: str = ""

    def placing(self) -> str:
        """What a person has to place where, in one sentence."""
        source = f"get it from {self.page}" if self.page else "make it from your own pictures"
        place = f"place it in DATA/{self.folders[0]} ({self.contains})"
        from_package = f", or install Debian's package {self.package}" if self.package else ""
        return f"{source} and {place}{from_package}"


_RESEARCH = "research only"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_LFW = "http://vis-www.cs.umass.edu/lfw/"

_SETS = (
    DataSet(
        name="lfw",
        title="Labeled Faces in the Wild, deep-funneled",
        folders=("faces/lfw", "lfw"),
        contains="pairs.txt beside a folder with one folder of pictures per person",
        page=_LFW,
        licence=_RESEARCH,
        use="test",
        downloads=(
            Download(_LFW + "lfw-deepfunneled.tgz", "md5:68331da3eb755a505a502b5aacb3c201", unpack=True),
            Download(_LFW + "pairs.txt", "md5:9f1ba174e4e1c508ff7cdf10ac338a7d"),
        ),
    ),
    DataSet(
        name="celeba",
        title="CelebA, official layout: aligned pictures 178x218 and identity_CelebA.txt",
        folders=("faces/celeba", "celeba"),
        contains="img_align_celeba/NNNNNN.jpg and identity_CelebA.txt",
        page="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="celeba-small",
        title="CelebA at half size, 89x109",
        folders=("faces/celeba_small",),
        contains="NNNNNN.jpg and identity.csv with the columns picture,person",
        page="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="celeba-aligned",
        title="CelebA aligned to the five-point template, 128x128",
        folders=("faces/celeba_aligned",),
        contains="one folder per person",
        page="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="named-aligned",
        title="Faces of public figures and film actors aligned to the five-point template, 128x128",
        folders=("faces/named_aligned",),
        contains="one folder per person",
        page="https://www.cs.columbia.edu/CAVE/databases/pubfig/",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="utkface",
        title="UTKFace, aligned pictures in one folder per group",
        folders=("faces/groups", "utkface"),
        contains="one folder per group",
        page="https://susanqq.github.io/UTKFace/",
        licence=_RESEARCH,
        use="test",
    ),
    DataSet(
        name="utkface-aligned",
        title="UTKFace without the test groups' pictures, aligned to the five-point template, 128x128",
        folders=("faces/utkface_aligned",),
        contains="pictures in one flat folder; nobody says who is who",
        page="https://susanqq.github.io/UTKFace/",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="all-age-faces-aligned",
        title="All-Age-Faces (AAF), 13,322 people, most of them Asian, aligned to the five-point template, 128x128",
        folders=("faces/all_age_faces_aligned",),
        contains="pictures in one flat folder; every one shows somebody else",
        page="https://github.com/JingchunCheng/All-Age-Faces-Dataset",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="own-aligned",
        title="Your own faces, aligned to the five-point template, 128x128",
        folders=("faces/own_aligned",),
        contains="one folder per person, as `unpool faces align` makes it",
        page="",
        licence="yours",
        use="train",
    ),
    DataSet(
        name="photos",
        title="Photographs to train on, in one folder per source",
        folders=("photos/train",),
        contains="one folder of pictures per source, such as bsds/ with the train and test parts of BSDS500",
        page="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        licence=_RESEARCH,
        use="train",
    ),
    DataSet(
        name="bsds500",
        title="Berkeley segmentation data set; its val part is BSD100 and CBSD68, so train and test parts train",
        folders=("photos/train/bsds", "bsds500"),
        contains="the 400 pictures of the official train and test folders",
        page="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        licence=_RESEARCH,
        use="train",
        downloads=(
            Download(
                "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
                unpack=True,
                keep=("BSR/BSDS500/data/images/train/*.jpg", "BSR/BSDS500/data/images/test/*.jpg"),
            ),
        ),
    ),
    DataSet(
        name="kodak",
        title="Kodak's 24 photographs",
        folders=("photos/test/kodak", "kodak"),
        contains="24 lossless pictures 768x512",
        page="https://r0k.us/graphics/kodak/",
        licence="released by Eastman Kodak for unrestricted use",
        use="test",
        downloads=tuple(Download(f"https://r0k.us/graphics/kodak/kodak/kodim{n:02d}.png") for n in range(1, 25)),
    ),
    DataSet(
        name="set5",
        title="Set5, super-resolution test pictures",
        folders=("photos/test/set5", "set5", "Set5"),
        contains="5 lossless pictures",
        page="https://github.com/jbhuang0604/SelfExSR",
        licence=_RESEARCH,
        use="test",
    ),
    DataSet(
        name="set14",
        title="Set14, super-resolution test pictures",
        folders=("photos/test/set14", "set14", "Set14"),
        contains="14 lossless pictures",
        page="https://github.com/jbhuang0604/SelfExSR",
        licence=_RESEARCH,
        use="test",
    ),
    DataSet(
        name="cbsd68",
        title="CBSD68, denoising test pictures",
        folders=("photos/test/cbsd68", "cbsd68", "CBSD68"),
        contains="68 lossless pictures 481x321",
        page="https://github.com/clausmichele/CBSD68-dataset",
        licence=_RESEARCH,
        use="test",
    ),
    DataSet(
        name="fashion-mnist",
        title="Fashion-MNIST, 28x28 grey pictures of ten kinds of clothes",
        folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
        contains="train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, and the same two beginning with t10k",
        page="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        use="train and test",
        downloads=(
            Download(_FASHION + "train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            Download(_FASHION + "train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe"),
            Download(_FASHION + "t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79"),
            Download(_FASHION + "t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        installed=("/usr/share/datasets/fashion-mnist",),
        package="dataset-fashion-mnist",
    ),
    DataSet(
        name="fsdd",
        title="Free Spoken Digit Dataset, 3,000 recordings at 8 kHz",
        folders=("sound/fsdd", "fsdd", "free-spoken-digit-dataset/recordings"),
        contains="DIGIT_SPEAKER_NN.wav",
        page="https://github.com/Jakobovski/free-spoken-digit-dataset",
        licence="CC BY-SA 4.0",
        use="train and test",
        downloads=(
            Download(
                "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.tar.gz",
                unpack=True,
                keep=("*/recordings/*.wav",),
            ),
        ),
    ),
    DataSet(
        name="wordnet",
        title="WordNet 3.0, whose 117,659 definitions are a text to learn from",
        folders=("text/wordnet", "wordnet"),
        contains="data.noun, data.verb, data.adj, data.adv",
        page="https://wordnet.princeton.edu/download/current-version",
        licence="WordNet licence (free for any use)",
        use="train and test",
        installed=("/usr/share/wordnet",),
        package="wordnet-base",
    ),
)

SETS: dict[str, DataSet] = {one.name: one for one in _SETS}
