"""`perfcast train`: real batches through the measured program, and what the study makes of runs."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from perfcast.bench.training_runs import COLUMNS
from perfcast.cli import main
from perfcast.errors import UsageError
from perfcast.pages import Table
from perfcast.studies.training.accuracy import accuracy_lines, claims_of, read_runs
from perfcast.training.cifar import read_cifar
from perfcast.training.data import read_examples


def run(*arguments):
    answer = CliRunner().invoke(main, [*map(str, arguments)])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer


def simulated(lost=0.02, ratio=0.4, saved=0.14):
    shared = dict.fromkeys(COLUMNS, 1) | {"model": "lenet_28", "data": "x", "optimizer": "sgd", "pretrained_on": ""}
    shared |= {"status": "complete"}
    rows = []
    for seed in range(3):
        noise = 0.001 * seed
        rows.append(shared | {"seed": seed, "trained": "all", "accuracy": 0.95, "train_cpu_s": 10, "peak_mb": 100})
        rows.append(
            shared
            | {"seed": seed, "trained": "filters_60", "accuracy": 0.95 - lost + noise}
            | {"train_cpu_s": 10 * (ratio + noise), "peak_mb": 100 * (1 - saved + noise)}
        )
    return pd.DataFrame(rows)[list(COLUMNS)]


def test_claims_are_decided_by_the_interval_over_seeds():
    assert [claim.verdict for claim in claims_of(simulated())] == ["confirmed"] * 3
    assert [claim.verdict for claim in claims_of(simulated(0.2, 1.2, -0.1))] == ["contradicted"] * 3
    one = simulated()
    assert [claim.verdict for claim in claims_of(one[one["seed"] == 0])] == ["open"] * 3


def test_runs_of_two_learning_rates_are_rows_of_their_own():
    (table,) = [line for line in accuracy_lines(two_rates()) if isinstance(line, Table)]
    assert [row.cells[0].text for row in table.rows] == ["sgd, 1", "sgd, 1", "sgd, 2", "sgd, 2"]
    assert {row.cells[2].text for row in table.rows} == {"3 of 3"}


def two_rates():
    return pd.concat([simulated(), simulated().assign(learning_rate=2)], ignore_index=True)


def test_runs_with_a_value_that_is_not_a_number_are_refused(tmp_path):
    path = tmp_path / "runs.csv"
    simulated().astype({"loss": object}).assign(loss="high").to_csv(path, index=False)
    with pytest.raises(UsageError, match="column loss must be numbers"):
        read_runs(path)


def test_cifar_is_read_as_rows_of_red_green_and_blue(tmp_path):
    record = np.concatenate([[7], np.repeat([10, 20, 30], 1024)]).astype(np.uint8)
    np.tile(record, 10).tofile(tmp_path / "data_batch_1.bin")
    training, held = read_cifar(tmp_path)
    assert held is None
    assert (training.labels == 7).all()
    assert training.items.shape == (10, 32, 32, 3)
    assert training.items[3, 5, 9].tolist() == [10, 20, 30]
    examples = read_examples(str(tmp_path), (32, 32, 3), None, 3)
    assert len(examples.labels) == 7
    assert len(examples.held_labels) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_1.bin", b"\x00" * 100, "has 100 bytes"),
        ("data_batch_1.bin", b"\xff" * 3073, "has the label 255"),
        ("data_batch_1", b"\x80\x04.", "is a pickle, which could run code"),
        ("other", b"", "has no IDX files"),
    ],
)
def test_data_that_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as error:
        read_examples(str(tmp_path), (32, 32, 3), None, 10)
    assert "\n" not in str(error.value)


def test_no_accuracy_is_claimed_of_generated_images():
    assert len(read_examples("generated", (8, 8, 1), 20, 10).held_labels) == 0


@pytest.mark.heavy
def test_runs_are_written_resumed_and_read_by_the_study(tmp_path):
    out = tmp_path / "runs.parquet"
    asked = ("train", "lenet_28", "--data", "digits", "--pretrain", "halves", "--seeds", 1, "--epochs", 2)
    asked += ("--optimizer", "adam", "--store", tmp_path / "store", "--out", out)
    answer = run(*asked, "--trained", "all,important_2")
    assert answer.exit_code == 0, answer.output
    runs = pd.read_parquet(out)
    assert list(runs.columns) == list(COLUMNS)
    assert runs["trained"].tolist() == ["all", "all", "important_2", "important_2"]
    assert runs["trained_layers"].iloc[-1].startswith("only_")
    assert runs["pretrained_on"].unique().tolist() == ["digits, classes 0 to 4"]
    assert runs["loss"].iloc[1] < runs["loss"].iloc[0]
    assert runs["accuracy"].iloc[1] > 0.4
    run(*asked, "--trained", "all,important_2,last_1")
    resumed = pd.read_parquet(out)
    pd.testing.assert_frame_equal(resumed.iloc[:4], runs)
    assert len(resumed) == 6
    page = tmp_path / "page.md"
    assert run("study", "training", out, "--out", page).exit_code == 0
    assert "important_2" in page.read_text()
