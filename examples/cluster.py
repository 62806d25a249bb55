"""The figures of docs/cluster.md, computed anew from the benches' JSON files in benchmarks/ (`--write`: into the page).

Everything that is assumed and not measured is a name in capitals here.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cluster.md"
BEGIN, END = "<!-- written by examples/cluster.py -->\n", "<!-- end -->\n"

PICTURES = 100_000_000
DOLLARS_PER_CORE_HOUR = 0.04  # about what the large clouds ask for a core of a general machine, on demand
CLUSTER_CORES = 1000
TEMPLATES = 10_000_000
GPU_PEAK = 312e12  # operations a second, bfloat16, of an A100 by its data sheet
GPU_SHARE = 0.1  # of the peak that small convolutional networks reach
GPU_BATCH = 256  # pictures a GPU and step
LINK = 100e9  # bytes a second between the GPUs of one machine, each way
GPUS = (1, 2, 8)


def newest(wing: str, folder: Path) -> dict[str, Any] | None:
    """The latest results of a bench; full ones before quick ones."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    mine = [one for one in found if one.get("wing") == wing]
    return max(mine, key=lambda one: (not one["quick"], one["hardware"]["date"]), default=None)


def text(folder: Path) -> str:
    """The part of the page that holds figures."""
    lines: list[str] = []
    for wing, title, section in (
        ("batch", "100 million pictures", batch),
        ("gallery", "A gallery of 10 million templates", gallery),
        ("train", "Training on 1, 2 and 8 GPUs", training),
    ):
        lines += [f"## {title}", ""]
        results = newest(wing, folder)
        if results is None:
            lines += [f"Not measured yet: `unpool bench {wing} --json benchmarks/{wing}-DATE.json`.", ""]
            continue
        machine = results["hardware"]
        covers = "a quick run" if results["quick"] else "a full run"
        lines += [f"From {covers} on {machine['date'][:10]}: {machine['cores']} cores, {machine['cpu']}.", ""]
        lines += [*section(results), ""]
    return "\n".join(lines)


def batch(results: dict[str, Any]) -> Iterator[str]:
    """The cost of 100 million pictures."""
    speedup = results["pictures_per_second_2"] / results["pictures_per_second_1"]
    overhead = results["overhead_percent"]
    side = results["side"]
    yield (
        f"Measured: one worker of one thread does {results['pictures_per_second_1']:.1f} pictures a second "
        f"(compress, {side}x{side}), {overhead:.1f} % slower than a plain loop; two workers on two cores do "
        f"{speedup:.2f} times as much. After kills of a driver and of a worker {results['missing_results']} results "
        f"were missing and {results['doubled_results']} doubled."
    )
    yield ""
    yield (
        f"Assumed: pictures of {side}x{side}, each core as fast as here, machines that share nothing but the disk "
        f"(so a core of a cluster is worth {speedup / 2:.2f} of one that works alone, as on two cores here), "
        f"${DOLLARS_PER_CORE_HOUR} for an hour of a core."
    )
    yield ""
    yield f"| operation | seconds a picture | core-hours | two cores | {CLUSTER_CORES:,} cores | dollars | results |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in results["operations"].items():
        hours = core_hours(row["seconds_a_picture"], overhead, speedup)
        yield (
            f"| {name} | {row['seconds_a_picture']:.3f} | {hours:,.0f} | {hours / 2 / 24:,.0f} days | "
            f"{hours / CLUSTER_CORES:,.1f} hours | {hours * DOLLARS_PER_CORE_HOUR:,.0f} | "
            f"{PICTURES * row['bytes_a_result'] / 1e9:,.0f} GB |"
        )


def core_hours(seconds: float, overhead: float, speedup: float) -> float:
    """Of all pictures, from seconds a picture of a plain loop, percent of overhead, and what two workers do of two."""
    return PICTURES * seconds * (1 + max(overhead, 0) / 100) / (speedup / 2) / 3600


def gallery(results: dict[str, Any]) -> Iterator[str]:
    """What 10 million templates take on PostgreSQL with pgvector."""
    rows = sorted((row for row in results["search"] if row["store"] == "pgvector"), key=lambda row: row["templates"])
    if len(rows) < 2:
        yield "Two sizes are needed to extrapolate from: run the bench in full."
        return
    low, high = rows[-2:]
    yield (
        f"Measured at {low['templates']:,} and {high['templates']:,} templates; extrapolated from these two: memory "
        "along a straight line, build and search along a power of the size, recall along the logarithm of the size, "
        "up to 1."
    )
    yield ""
    yield "| templates | index | table and index | build | search | recall | |"
    yield "|---|---|---|---|---|---|---|"
    beyond = {
        "templates": TEMPLATES,
        "memory_mb": line(low, high, "memory_mb"),
        "stored_mb": line(low, high, "stored_mb"),
        "build_s": power(low, high, "build_s"),
        "search_ms": power(low, high, "search_ms"),
        "recall": logarithm(low, high, "recall"),
    }
    for row in (*rows, beyond):
        yield (
            f"| {row['templates']:,} | {row['memory_mb'] / 1000:.2f} GB | {row['stored_mb'] / 1000:.2f} GB | "
            f"{row['build_s'] / 60:,.1f} minutes | {row['search_ms']:.1f} ms | {min(max(row['recall'], 0), 1):.3f} | "
            f"{'extrapolated' if row is beyond else 'measured'} |"
        )


def line(low: dict[str, Any], high: dict[str, Any], name: str) -> float:
    """At `TEMPLATES`, along the straight line through two measurements."""
    slope = (high[name] - low[name]) / (high["templates"] - low["templates"])
    return high[name] + slope * (TEMPLATES - high["templates"])


def power(low: dict[str, Any], high: dict[str, Any], name: str) -> float:
    """At `TEMPLATES`, along the power law through two measurements."""
    exponent = math.log(high[name] / low[name]) / math.log(high["templates"] / low["templates"])
    return high[name] * (TEMPLATES / high["templates"]) ** exponent


def logarithm(low: dict[str, Any], high: dict[str, Any], name: str) -> float:
    """At `TEMPLATES`, along the straight line through two measurements over the logarithm of the size."""
    slope = (high[name] - low[name]) / math.log(high["templates"] / low["templates"])
    return high[name] + slope * math.log(TEMPLATES / high["templates"])


def training(results: dict[str, Any]) -> Iterator[str]:
    """Pictures a second while training, measured here and computed for GPUs."""
    network, pace = results["network"], results["pictures_per_second"]["unpool train"]["median"]
    work = 6 * network["macs"]  # forward, and twice that backward; two operations each
    yield (
        f"The bench's network ({network['parameters']:,} weights, {network['macs'] / 1e6:.0f} million multiplications "
        f"a picture of {network['side']}x{network['side']}) trains here at {pace:.0f} pictures a second without a GPU, "
        f"{pace * work / 1e9:.0f} billion operations a second. **No GPU was measured.** Computed from the work alone: "
        f"a GPU of {GPU_PEAK / 1e12:.0f} Top/s of which {GPU_SHARE:.0%} are reached, {GPU_BATCH} pictures a GPU and "
        f"step, gradients exchanged after each step over {LINK / 1e9:.0f} GB/s. Reading pictures is not in it: as "
        "`data_wait` in the run's curve says, a GPU that is this fast waits for its loader processes first."
    )
    yield ""
    yield "| GPUs | pictures a second | times one | |"
    yield "|---|---|---|---|"
    for count in GPUS:
        speed = throughput(count, work, network["parameters"])
        times = speed / throughput(1, work, network["parameters"])
        yield f"| {count} | {speed:,.0f} | {times:.2f} | computed |"


def throughput(gpus: int, work: float, parameters: int) -> float:
    """Pictures a second: a step is the work of a GPU's batch, then one ring reduction of the gradients."""
    step = GPU_BATCH * work / (GPU_PEAK * GPU_SHARE)
    exchange = 2 * (gpus - 1) / gpus * 4 * parameters / LINK
    return gpus * GPU_BATCH / (step + exchange)


def written(page: str, figures: str) -> str:
    """The page with these figures in their place."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + figures + END + rest.split(END)[1]


if __name__ == "__main__":
    figures = text(ROOT / "benchmarks")
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
        print(PAGE)
    else:
        print(figures)
