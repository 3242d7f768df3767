"""The lists of models that the benchmarks measure, and how they measure them."""

from dataclasses import replace
from pathlib import Path

from perfcast.bench.campaign import Campaign
from perfcast.bench.record import MeasurementStore
from perfcast.bench.target import Protocol, Replicates, Target
from perfcast.bench.transport import LocalTransport
from perfcast.config import read_yaml
from perfcast.export.artifacts import ArtifactStore
from perfcast.export.stage import export_models
from perfcast.models.sheet import parse_sheet
from perfcast.progress import track

ROOT = Path(__file__).resolve().parents[1]
HEADINGS = "source,builder,input_size,parameters\n"

VARIED = """keras_applications,DenseNet121,224,
keras_applications,EfficientNetB0,224,
keras_applications,EfficientNetV2B0,224,
keras_applications,InceptionV3,224,
keras_applications,MobileNet,224,
keras_applications,MobileNetV2,224,
keras_applications,MobileNetV3Small,224,
keras_applications,NASNetMobile,224,
keras_applications,ResNet50,224,
keras_applications,Xception,224,
synthetic,basic_model,32,conv_layers=1;filter_size=3;filters=64;strides=2
synthetic,basic_model,64,conv_layers=2;filter_size=3;filters=64;strides=2
synthetic,basic_model,96,conv_layers=3;filter_size=3;filters=64;strides=1
synthetic,basic_model,128,conv_layers=4;filter_size=3;filters=32;strides=1
synthetic,basic_model,160,conv_layers=5;filter_size=3;filters=32;strides=2
synthetic,basic_model,192,conv_layers=6;filter_size=3;filters=16;strides=2
synthetic,basic_model,224,conv_layers=4;filter_size=5;filters=16;strides=2
synthetic,basic_model,224,conv_layers=8;filter_size=3;filters=24;strides=2
synthetic,basic_model,64,conv_layers=12;filter_size=3;filters=128;strides=1
synthetic,basic_model,128,conv_layers=16;filter_size=3;filters=16;strides=1
"""

MIDDLING = """keras_applications,DenseNet121,96,
keras_applications,DenseNet121,128,
keras_applications,EfficientNetB0,128,
keras_applications,EfficientNetB0,224,
keras_applications,InceptionV3,96,
keras_applications,InceptionV3,128,
keras_applications,MobileNet,192,
keras_applications,MobileNet,224,
keras_applications,MobileNetV2,192,
keras_applications,MobileNetV2,224,
keras_applications,MobileNetV3Large,224,
keras_applications,ResNet50,96,
keras_applications,ResNet50,128,
keras_applications,ResNet50V2,128,
keras_applications,Xception,96,
keras_applications,Xception,128,
synthetic,basic_model,128,conv_layers=4;filter_size=3;filters=64;strides=1
synthetic,basic_model,224,conv_layers=4;filter_size=5;filters=32;strides=2
synthetic,basic_model,64,conv_layers=12;filter_size=3;filters=128;strides=1
synthetic,basic_model,128,conv_layers=16;filter_size=3;filters=16;strides=1
"""


def specs_of(rows):
    """Return the specs of rows of a sheet."""
    return parse_sheet(HEADINGS + rows, "the fixed list")


def exported(specs, folder):
    """Return the exports of specs, made in a store in ``folder``."""
    with track(len(specs), "exporting") as advance:
        return export_models(specs, ArtifactStore(folder), advance)


def task_of(artifacts, export):
    """Return an export as a toolchain takes it."""
    (program,) = export.programs
    interface = program.interface
    path = artifacts.program_path(export.artifact, program)
    return {"program": str(path), "inputs": interface["inputs"], "outputs": interface["outputs"], "seed": 0}


def campaign_in(folder, exports_folder, protocol=None, **factors):
    """Return a campaign on this machine: exports from one folder, measurements into another, no replicates."""
    description = read_yaml(ROOT / "config/targets/local.yaml")
    description["factors"]["fixed"] |= factors
    target = replace(Target.from_dict("local", description), replicates=Replicates(0.0, 0))
    if protocol:
        target = replace(target, protocol=Protocol(**protocol))
    folder.mkdir(parents=True, exist_ok=True)
    return Campaign(target, LocalTransport(folder / "log"), ArtifactStore(exports_folder), MeasurementStore(folder))


def records_of(campaign, exports, description):
    """Measure exports; return their records, in order."""
    return [campaign.measurements.measurement(key) for key in campaign.measure(exports, track, description)]
