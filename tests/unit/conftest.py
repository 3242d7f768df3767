"""What the tests of the command, and of campaigns against a fake runner, share."""

import pytest

from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from tests.unit.campaigns import FakeRunner, dummy_exports, idle_campaign
from tests.unit.test_campaign import SPECS


@pytest.fixture
def runner(tmp_path, monkeypatch):
    return FakeRunner(tmp_path, monkeypatch)


@pytest.fixture
def exports(tmp_path):
    return dummy_exports(tmp_path)


@pytest.fixture
def campaign(tmp_path, root, runner):
    return idle_campaign(tmp_path, root)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A folder with a store of two models and a sheet that lists them and one more."""
    folder = tmp_path_factory.mktemp("library")
    exports = export_models(SPECS, ArtifactStore(folder / "store"))
    (folder / "sheet.csv").write_text(
        "source,builder,input_size,parameters\n"
        "synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=8;strides=2\n"
        "synthetic,basic_model,48,conv_layers=1;filter_size=3;filters=4;strides=2\n"
    )
    return folder, [ArtifactStore(folder / "store").location(export.artifact) for export in exports]
