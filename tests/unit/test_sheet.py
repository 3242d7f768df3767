"""Sheets of models: what they may hold, what is refused, and that they stay cheap to read."""

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.errors import UsageError
from perfcast.models import dense, keras_applications, synthetic
from perfcast.models.sheet import format_sheet, parse_sheet, read_sheet

HEADER = "source,builder,input_size,parameters\n"


def test_a_sheet_with_all_sources():
    text = (
        HEADER
        + "keras_applications,MobileNet,224x160,alpha=0.25\n\n"
        + "keras_applications,MobileNetV3Small,96, minimalistic = true ; dropout_rate=0.1\n"
        + "synthetic,basic_model,64,conv_layers=3;filter_size=5;filters=32;strides=2\n"
        + "dense,mlp,32,layers=2;units=64\n"
    )
    specs = parse_sheet(text, "sheet")
    assert [spec.model for spec in specs] == [
        "mobilenet_alpha0.25_224x160",
        "mobilenetv3small_dropout_rate0.1_minimalistic_96",
        "basic_model_3_5_32_2_64",
        "mlp_2_64_32",
    ]
    assert specs[0].input_shape == (224, 160, 3)
    assert specs[1].parameters == {"minimalistic": True, "dropout_rate": 0.1}
    assert [spec.family for spec in specs] == ["mobilenet", "mobilenetv3", "basic_model", "mlp"]


def test_columns_may_come_in_any_order():
    (spec,) = parse_sheet("builder,source,parameters,input_size\nVGG16,keras_applications,,32\n", "sheet")
    assert spec.model == "vgg16_32"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("keras_applications,MobileNet,224,alpha=0.25\nkeras_applications,MobileNet,224,alpha=0.25", "listed twice"),
        ("keras_application,MobileNet,224,", "source 'keras_application' does not exist"),
        ("keras_applications,MobilNet,224,", "'MobilNet' is not a network"),
        ("keras_applications,MobileNet,31,", "at least 32 px"),
        ("keras_applications,MobileNet,0,", "input_size '0'"),
        ("keras_applications,MobileNet,224x,", "input_size '224x'"),
        ("keras_applications,MobileNet,-224,", "input_size '-224'"),
        ("keras_applications,MobileNet,٢٢٤,", "input_size"),
        ("keras_applications,MobileNet,99999,", "input_size '99999'"),
        ("keras_applications,MobileNet,224", "has 3 cells"),
        ("keras_applications,MobileNet,224,,", "has 5 cells"),
        ("keras_applications,MobileNet,224,alpha", "must look like alpha=0.25"),
        ("keras_applications,MobileNet,224,alpha=1;alpha=2", "given twice"),
        ("keras_applications,MobileNet,224,alpha=1/2", "value '1/2'"),
        ("keras_applications,MobileNet,224,alpha=1e999", "value '1e999'"),
        ("keras_applications,MobileNet,224,alpha=nan", "value 'nan'"),
        ("keras_applications,MobileNet,224,alpha=-NaN", "value '-NaN'"),
        ("keras_applications,MobileNet,224,alpha=Infinity", "value 'Infinity'"),
        ("keras_applications,MobileNet,224,dropout=inf", "value 'inf'"),
        ("keras_applications,MobileNet,224,alpha=0", "'alpha' must be a number above 0, not 0"),
        ("keras_applications,MobileNet,224,alpha=-0.5", "'alpha' must be a number above 0, not -0.5"),
        ("keras_applications,MobileNet,224,alpha=true", "'alpha' must be a number above 0, not True"),
        ("keras_applications,MobileNet,224,alpha=wide", "'alpha' must be a number above 0, not 'wide'"),
        ("keras_applications,MobileNet,224,weights=imagenet", "'weights' is set by perfcast"),
        ("synthetic,basic_model,64,conv_layers=3;filter_size=5;filters=32", "'strides' must be"),
        ("synthetic,basic_model,4,conv_layers=3;filter_size=5;filters=32;strides=1", "impossible at 4 px"),
        ("synthetic,basic_model,64,conv_layers=10000;filter_size=1;filters=10000;strides=1", "is too large: 1e+12"),
        ("synthetic,basic_model,10000,conv_layers=3;filter_size=9;filters=500;strides=1", "1e+13"),
        ("dense,mlp,32,layers=3;units=100000", "mlp_3_100000 is too large"),
        ("dense,mlp,32,layers=2;units=6.5", "'units' must be"),
        ('dense,"mlp,32,layers=2', "end of data"),
    ],
)
def test_a_wrong_row_is_named(row, message):
    with pytest.raises(UsageError) as caught:
        parse_sheet(HEADER + row + "\n", "models.csv")
    assert message in str(caught.value)
    row_number = row.count("\n") + 2
    assert str(caught.value).startswith(f"models.csv, row {row_number}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n\n", "model,size\n", "source,builder,input_size\n", HEADER[:-1] + ",extra\n"])
def test_a_wrong_header_is_refused(text):
    with pytest.raises(UsageError, match="source,builder,input_size,parameters"):
        parse_sheet(text, "models.csv")


def test_a_sheet_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\xff\xfe")
    for name in ("absent.csv", "latin.csv"):
        with pytest.raises(UsageError, match=name):
            read_sheet(tmp_path / name)


def test_byte_order_mark_is_not_in_the_header(tmp_path):
    (tmp_path / "sheet.csv").write_text("\ufeff" + HEADER + "dense,mlp,32,layers=2;units=64\n", encoding="utf-8")
    assert len(read_sheet(tmp_path / "sheet.csv")) == 1


sizes = st.integers(75, 10_000)
specs = st.one_of(
    st.builds(
        lambda height, width, alpha: keras_applications.make_spec("MobileNet", (height, width, 3), {"alpha": alpha}),
        sizes,
        sizes,
        st.floats(0.01, 1e12),
    ),
    st.builds(
        lambda size, layers, units: dense.make_spec("mlp", (size, size, 3), {"layers": layers, "units": units}),
        st.integers(1, 500),
        st.integers(1, 500),
        st.integers(1, 500),
    ),
    st.builds(
        lambda size, filters: synthetic.make_spec(
            "basic_model", (size, size, 3), {"conv_layers": 2, "filter_size": 3, "filters": filters, "strides": 2}
        ),
        sizes,
        st.integers(1, 100),
    ),
)


@given(st.lists(specs, unique_by=lambda spec: spec.model, max_size=8))
def test_written_sheet_is_read_back(listed):
    assert parse_sheet(format_sheet(listed), "sheet") == listed


def test_sheets_are_files_too(tmp_path):
    listed = [dense.make_spec("mlp", (32, 32, 3), {"layers": 1, "units": 2})]
    (tmp_path / "sheet.csv").write_text(format_sheet(listed))
    assert read_sheet(tmp_path / "sheet.csv") == listed


@given(st.text(max_size=200))
def test_any_text_is_either_a_sheet_or_refused(text):
    for whole in (text, HEADER + text, HEADER + "dense,mlp,32," + text):
        with contextlib.suppress(UsageError):
            parse_sheet(whole, "models.csv")


def test_reading_loads_neither_tensorflow_nor_pandas():
    code = (
        "import sys, perfcast.models.sheet as s; s.parse_sheet('source,builder,input_size,parameters', 'x');"
        "sys.exit(bool({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
