"""Formulas of multiply-accumulates: against plain loops, and nowhere but in `perfcast.network`."""

import ast
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import perfcast
from perfcast.network import macs

SIZES = st.integers(1, 4)
PACKAGE = Path(perfcast.__file__).parent


def test_convolution_applies_its_kernel_once_per_position():
    counted = sum(1 for _ in itertools.product(range(7), range(5), range(3), range(3), range(4), range(6)))
    assert macs.convolution_macs((7, 5), (3, 3, 4, 6)) == counted
    assert macs.convolution_macs((7, 5), (3, 3, 4, 1), (1, 1, 4, 6)) == 35 * (36 + 24)
    assert macs.convolution_macs((), (1, 1)) == 1


def test_dense_layer_is_a_convolution_over_rows():
    assert macs.dense_macs((2, 3), (4, 5)) == macs.product_macs((2, 3, 5), 4) == 120
    assert macs.dense_macs((), (4, 5)) == 20


@given(st.lists(SIZES, max_size=2), SIZES, SIZES, SIZES)
def test_matrix_product_and_einsum_and_contraction_agree(stack, rows, inner, columns):
    first, second = (*stack, rows, inner), (*stack, inner, columns)
    returned = (np.zeros(first) @ np.zeros(second)).shape
    expected = macs.product_macs(returned, inner)
    assert macs.matmul_macs(first, second) == expected
    assert macs.einsum_macs("...ab,...bc->...ac", [first, second]) == expected
    if not stack:
        assert macs.contraction_macs(first, second, 1) == macs.contraction_macs(first, second, [1, 0]) == expected


def test_einsum_without_second_operand_multiplies_nothing():
    assert macs.einsum_macs("ab->ba", [(3, 4)]) == 0
    assert macs.einsum_macs("abc,cde->abde", [(1, 5, 6), (6, 2, 3)]) == 5 * 6 * 2 * 3
    assert macs.einsum_macs("a...,a->...", [(3, 4, 5), (1,)]) == 3 * 4 * 5


def test_attention_multiplies_each_query_with_each_key():
    assert macs.attention_macs(4, 6, (8, 10), heads=2) == 2 * 4 * 6 * 18
    kernels = {"query": 100, "key": 200, "value": 300, "attention_output": 400}
    projections = 4 * (100 + 400) + 6 * (200 + 300)
    assert macs.multi_head_macs((4, 16), (6, 16), 2, (8, 10), kernels) == projections + 2 * 4 * 6 * 18
    along_first = macs.multi_head_macs((4, 5, 16), (4, 5, 16), 1, (8, 8), {}, axes=(1,))
    assert along_first == 20 * 4 * 16


def test_recurrent_and_repeated_layers_count_each_step():
    assert macs.recurrent_macs(7, 4 * (3 * 5 + 5 * 5)) == macs.repeated_macs(7, 160) == 1120
    assert macs.rescaled_macs(100, counted=(2, 5), returned=(4, 5)) == 200
    assert macs.rescaled_macs(100, counted=(0,), returned=(4,)) == 400


@given(SIZES, SIZES, SIZES, SIZES)
def test_separable_convolution_is_split_in_two(side, channels, filters, positions):
    depthwise = positions * side * side * channels
    whole = depthwise + positions * channels * filters
    assert macs.separable_macs(whole, (side, side), filters) == (depthwise, whole - depthwise)


def _multiplies(node):
    products = (ast.Mult, ast.FloorDiv, ast.Pow)
    return any(
        (isinstance(part, ast.BinOp) and isinstance(part.op, products))
        or (isinstance(part, ast.Attribute) and part.attr == "prod")
        for part in ast.walk(node)
    )


def _counted(tree):
    """Yield the expressions that become something called macs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "macs":
            yield node.value
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "macs" for target in targets):
                yield node.value
        elif isinstance(node, ast.Dict):
            yield from (v for k, v in zip(node.keys, node.values, strict=True) if getattr(k, "value", None) == "macs")


def _without_arguments(expression):
    """Drop what is only handed to a formula of `perfcast.network`."""

    class Dropper(ast.NodeTransformer):
        def visit_Call(self, node):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            return ast.Constant(0) if name.endswith("_macs") else self.generic_visit(node)

    return Dropper().visit(expression)


@pytest.mark.parametrize("room", sorted(p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "network"))
def test_formulas_are_in_network_alone(room):
    for path in (PACKAGE / room).rglob("*.py"):
        for expression in _counted(ast.parse(path.read_text())):
            assert not _multiplies(_without_arguments(expression)), f"{path}: {ast.unparse(expression)}"
