"""Every model has a card, and a card says what its record says."""

from typer.testing import CliRunner

from unpool.cli.models import app
from unpool.zoo.cards import card
from unpool.zoo.catalogue import Entry, catalogue
from unpool.zoo.record import Budget, Record


def test_a_card_keeps_what_the_record_says():
    record = Record(
        name="faces/tiny",
        task="faces",
        network="unpool.nn.towers:Encoder",
        trained_on=("a", "b"),
        data_licence="research only",
        budget=Budget(steps=1200, earlier_minutes=3.14, precision="float32"),
        figures={"psnr": 20.12345},
        headline="small",
    )
    text = "\n".join(card(Entry(record, 1_500_000)))
    for said in ("research only", "1,200 steps, 3.1 minutes before it, float32", "a, b", "| psnr | 20.12 |", "1.50 MB"):
        assert said in text


def test_every_model_has_one(tmp_path):
    done = CliRunner().invoke(app, ["--cards", str(tmp_path / "models.md")])
    assert done.exit_code == 0, done.output
    titles = {line[3:] for line in (tmp_path / "models.md").read_text().splitlines() if line.startswith("## ")}
    assert titles == {entry.record.name for entry in catalogue()}
