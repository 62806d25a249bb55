"""Which figure of a bench stands against which of a peer's: wins and losses are read off, not chosen."""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Contest(NamedTuple):
    """Paths into a wing's JSON: keys by `/`, and of a list the row whose texts and whole numbers are `key=value`.

    `peer` is a number where the peer is the reference itself, such as 0 percent.
    """

    wing: str
    what: str
    ours: str
    peer_name: str
    peer: str | float
    higher: bool = True
    whole: bool = False  # a figure of a whole set or training, which a quick run does not cover


def _published(scale: int, key: str, whole: bool, names: tuple[str, ...]) -> Iterator[Contest]:
    for name in names:
        row = f"enlarging/set={key},scale={scale},method={name}, published/psnr_y"
        yield Contest("restoration", f"{key}, x{scale}, PSNR-Y", f"{key}_x{scale}_psnr_y", name, row, whole=whole)


_SIZES = tuple(
    Contest("codec", "bits for equal PSNR, %", f"bd_rate_vs_{key}", name, 0.0, False)
    for key, name in (
        ("jpeg_plain", "JPEG, plain"), ("jpeg", "JPEG, optimised"), ("webp", "WebP"), ("avif", "AVIF"),
        ("jpeg_xl", "JPEG XL"),
    )
)  # fmt: skip
_SR = ("FSRCNN (Dong et al. 2016)", "IMDN (Hui et al. 2019)", "SwinIR, lightweight (Liang et al. 2021)")

CONTESTS = (
    Contest("explanation", "maps a second", "maps_per_second", "Captum", "peer_maps_per_second"),
    Contest("explanation", "memory, MB", "peak_memory_mb", "Captum", "peer_peak_memory_mb", False),
    Contest("autoencoders", "PSNR from 64 numbers", "psnr_at_64", "PCA", "psnr_pca_at_64"),
    Contest("autoencoders", "denoising, dB over PCA", "denoising_gain_db", "PCA", 0.0),
    Contest("autoencoders", "AUROC, faces or not", "anomaly_auroc/conv", "PCA", "anomaly_auroc/pca"),
    Contest("autoencoders", "LFW, no names learned", "lfw_accuracy_conv", "PCA", "lfw_accuracy_pca"),
    Contest("autoencoders", "LFW, no names learned", "lfw_accuracy_conv", "dense autoencoder", "lfw_accuracy_dense"),
    Contest(
        "autoencoders", "LFW, names learned", "lfw_accuracy_supervised",
        "Fisherfaces", "recognition/fisherfaces/lfw_accuracy",
    ),
    Contest("generation", "KID of clothes", "kid_fashion", "classic", "kid_fashion_classic", False),
    Contest("generation", "KID of faces", "kid_faces", "PCA and a Gaussian", "kid_faces_pca", False),
    Contest(
        "generation", "spoken digits told right", "digit_accuracy", "recordings of people", "digit_accuracy_real"
    ),
    *_published(2, "set5", False, _SR),
    *_published(4, "set5", False, _SR),
    *_published(4, "set14", True, _SR),
    Contest(
        "restoration", "CBSD68, sigma 25, PSNR", "cbsd68_sigma25_psnr", "CBM3D (Dabov et al. 2007)",
        "denoising/sigma=25,method=CBM3D (Dabov et al. 2007), published/psnr_rgb", whole=True,
    ),
    Contest(
        "restoration", "seconds a megapixel, x4", "seconds_per_output_mp", "Real-ESRGAN x4plus",
        "peer_seconds_per_output_mp", False,
    ),
    Contest(
        "restoration", "seconds a megapixel, x4", "seconds_per_output_mp", "Real-ESRGAN animevideov3",
        "compact_seconds_per_output_mp", False,
    ),
    *_SIZES,
    Contest("codec", "lossless bytes, %", "lossless_vs_png_percent", "PNG", 0.0, False),
    Contest("codec", "lossless bytes, %", "lossless_vs_webp_percent", "WebP, lossless", 0.0, False),
    Contest("codec", "encoding, megapixels a second", "encode_mp_per_s", "AVIF", "avif_encode_mp_per_s"),
    Contest("codec", "decoding, megapixels a second", "decode_mp_per_s", "AVIF", "avif_decode_mp_per_s"),
    Contest("faces", "LFW, 112 pixels", "lfw_112", "dlib", "lfw_112_dlib"),
    Contest("faces", "LFW, 16 pixels", "lfw_16", "best peer", "lfw_16_best_peer"),
    Contest("faces", "LFW, 16 pixels", "lfw_16", "best peer, enlarged first", "lfw_16_best_peer_with_sr"),
    Contest("faces", "faces of 16 pixels made 128, PSNR", "sr8_psnr", "bicubic", "sr8_psnr_bicubic"),
    Contest("gallery", "known people found, 1 % false alarms", "open_set_rate_112", "dlib", "open_set_rate_dlib"),
    Contest("gallery", "search of 100,000, ms", "search_100k_ms", "pgvector", "pgvector_100k_ms", False),
    Contest(
        "train", "pictures a second", "pictures_per_second/unpool train/median", "a bare PyTorch loop",
        "pictures_per_second/bare loop/median",
    ),
    *(
        Contest("questions", f"garments, {what}, dB", f"gain_over_{key}_db", peer, 0.0, whole=True)
        for what, key, peer in (
            ("as many weights", "classic_at_equal_parameters", "dense autoencoder"),
            ("as many seconds", "classic_at_equal_seconds", "dense autoencoder"),
            ("ways of enlarging", "plain_deconvolution", "plain deconvolution"),
        )
    ),
    Contest(
        "batch", "pictures a second, one worker", "pictures_per_second_1", "a plain loop", "pictures_per_second_plain"
    ),
)  # fmt: skip


def look_up(answer: Any, path: str) -> float | None:
    """The number at a path, or None where there is none.

    >>> look_up({"rows": [{"name": "a, b", "n": 2, "x": 1.5}]}, "rows/name=a, b,n=2/x")
    1.5
    """
    for part in path.split("/"):
        if isinstance(answer, list):
            answer = next((row for row in answer if label(row) == part), None)
        else:
            answer = answer.get(part) if isinstance(answer, dict) else None
    return answer if isinstance(answer, int | float) else None


def label(row: Any) -> str:
    """A row of a list by its texts and whole numbers."""
    if not isinstance(row, dict):
        return str(row)
    return ",".join(f"{key}={value}" for key, value in row.items() if isinstance(value, str | int))


def results(answers: dict[str, dict[str, Any]]) -> Iterator[tuple[Contest, float, float, str]]:
    """Every contest that was measured: both figures, and whether ours is ahead, behind or even (to 0.1 %)."""
    for contest in CONTESTS:
        answer = answers.get(contest.wing)
        if answer is None or (contest.whole and answer["quick"]):
            continue
        ours = look_up(answer, contest.ours)
        peer = look_up(answer, contest.peer) if isinstance(contest.peer, str) else contest.peer
        if ours is None or peer is None or ours != ours or peer != peer:
            continue
        gain = ours - peer if contest.higher else peer - ours
        even = abs(gain) <= 0.001 * abs(peer)
        yield contest, ours, peer, "even" if even else "ahead" if gain > 0 else "behind"
