"""XGBoost's JSON, checked before XGBoost reads it: its loader trusts indices, and wrong ones end the process."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from perfcast.errors import PredictorError
from perfcast.fit.learners import LEAF

_NODE_LISTS = (
    *("left_children", "right_children", "split_indices", "split_conditions", "split_type"),
    *("parents", "default_left", "base_weights", "loss_changes", "sum_hessian"),
)
_WHOLE = ("left_children", "right_children", "split_indices", "split_type", "parents", "default_left")
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_NO_PARENT = 2**31 - 1
_NUMBER = re.compile(r"[-+0-9.eE]{1,40}|\[[-+0-9.eE]{1,40}\]")
_LARGEST = 3e38
_MOST_TREES = 100_000


class _UnsoundError(Exception):
    """What is wrong with a model."""


def checked_model(name: str, data: bytes, inputs: int) -> bytes:
    """Return the model in ``data``, the contents of the file ``name``, as JSON that is safe to load.

    It is written again, of nothing but what was checked: XGBoost cannot read the bytes in another way (as its
    binary format, say, or with another one of two equal keys), nor meet anything that nobody thought of.

    Raises:
        PredictorError: it is not one regression forest of plain splits on ``inputs`` inputs.
    """
    try:
        model = json.loads(data.decode())
        fresh = {"learner": _learner(model["learner"], inputs), "version": _version(model["version"])}
        return json.dumps(fresh, allow_nan=False).encode()
    except _UnsoundError as error:
        raise PredictorError(f"{name}: its trees are damaged ({error})") from error
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise PredictorError(f"{name}: is not a model of XGBoost ({_first_line(error)})") from error


def _version(version: list[int]) -> list[int]:
    sound = isinstance(version, list) and len(version) == 3 and set(map(type, version)) == {int}
    # XGBoost converts models of its first version, with a warning; perfcast never wrote one.
    _require(sound and all(0 <= part < 1000 for part in version) and version[0] > 1, "version")
    return version


def _learner(learner: dict[str, Any], inputs: int) -> dict[str, Any]:
    """Return the `learner` of a model with the same trees and base score."""
    trees = learner["gradient_booster"]["model"]["trees"]
    _require(isinstance(trees, list) and 0 < len(trees) <= _MOST_TREES, "trees")
    _check_plain(learner, inputs, len(trees))
    count, parameters = len(trees), learner["learner_model_param"]
    return {
        "attributes": {},
        "feature_names": [],
        "feature_types": [],
        "gradient_booster": {
            "model": {
                "cats": {"enc": [], "feature_segments": [], "sorted_idx": []},
                "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(count)},
                "iteration_indptr": list(range(count + 1)),
                "tree_info": [0] * count,
                "trees": [_tree(tree, number, inputs) for number, tree in enumerate(trees)],
            },
            "name": "gbtree",
        },
        "learner_model_param": {
            "base_score": _base_score(parameters["base_score"]),
            "boost_from_average": "1",
            "num_class": "0",
            "num_feature": str(inputs),
            "num_target": "1",
        },
        "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
    }


def _check_plain(learner: dict[str, Any], inputs: int, count: int) -> None:
    """Refuse anything but a regression by ``count`` trees, one a round."""
    parameters, booster = learner["learner_model_param"], learner["gradient_booster"]
    model = booster["model"]
    plain: tuple[tuple[str, Any, Any], ...] = (
        ("booster", booster["name"], "gbtree"),
        ("objective", learner["objective"]["name"], "reg:squarederror"),
        ("num_feature", parameters["num_feature"], str(inputs)),
        ("num_class", parameters["num_class"], "0"),
        ("num_target", parameters.get("num_target", "1"), "1"),
        ("num_trees", model["gbtree_model_param"]["num_trees"], str(count)),
        ("num_parallel_tree", model["gbtree_model_param"].get("num_parallel_tree", "1"), "1"),
        ("tree_info", model["tree_info"], [0] * count),
        ("iteration_indptr", model.get("iteration_indptr", list(range(count + 1))), list(range(count + 1))),
        ("feature_names", learner.get("feature_names", []), []),
        ("feature_types", learner.get("feature_types", []), []),
        ("cats", any(model.get("cats", {}).values()), False),
    )
    for key, found, wanted in plain:
        _require(type(found) is type(wanted) and found == wanted, key)


def _base_score(text: str) -> str:
    # A plain number before XGBoost 3.1, a list of one since.
    _require(isinstance(text, str) and _NUMBER.fullmatch(text) is not None, "base_score")
    _require(abs(float(text.strip("[]"))) < _LARGEST, "base_score")
    return text


def _tree(tree: dict[str, Any], number: int, inputs: int) -> dict[str, Any]:
    """Return ``tree``, refused where its nodes lead anywhere but to later nodes of its own."""
    where = f"tree {number}: "
    columns = {key: _column(tree[key], where + key, whole=key in _WHOLE) for key in _NODE_LISTS}
    _check_nodes(columns, where, inputs)
    _require(not any(tree.get(key) for key in _CATEGORIES), where + "categories")
    parameters = tree["tree_param"]
    wanted = {"num_nodes": str(len(columns["parents"])), "num_feature": str(inputs), "num_deleted": "0"}
    for key, text in wanted.items():
        _require(parameters[key] == text, where + key)
    _require(parameters.get("size_leaf_vector") in ("0", "1", None), where + "size_leaf_vector")
    return {
        "id": number,
        "tree_param": wanted | {"size_leaf_vector": "1"},
        **{key: [] for key in _CATEGORIES},
        **{key: column.tolist() for key, column in columns.items()},
    }


def _check_nodes(columns: dict[str, np.ndarray], where: str, inputs: int) -> None:
    size = len(columns["left_children"])
    _require(size > 0, where + "it has no nodes")
    for key, column in columns.items():
        _require(len(column) == size, where + key)
    nodes = np.arange(size)
    left, right = columns["left_children"], columns["right_children"]
    _require(bool(((left == LEAF) == (right == LEAF)).all()), where + "right_children")
    for key, child in (("left_children", left), ("right_children", right)):
        _require(bool(((child == LEAF) | ((child > nodes) & (child < size))).all()), where + key)
    splits, parents = columns["split_indices"], columns["parents"]
    _require(bool(((splits >= 0) & (splits < inputs)).all()), where + "split_indices")
    inner = np.flatnonzero(left != LEAF)
    children = np.concatenate([left[inner], right[inner]])
    # Every node but the root is the child of one node, and says so.
    _require(bool(np.array_equal(np.sort(children), nodes[1:])), where + "left_children, right_children")
    _require(parents[0] == _NO_PARENT, where + "parents")
    _require(bool((parents[children] == np.tile(inner, 2)).all()), where + "parents")
    _require(bool(np.isin(columns["default_left"], (0, 1)).all()), where + "default_left")
    _require(not columns["split_type"].any(), where + "split_type")


def _column(values: Any, key: str, *, whole: bool) -> np.ndarray:
    kinds = {int} if whole else {int, float}
    _require(isinstance(values, list) and set(map(type, values)) <= kinds, key)
    limit = 2**31 if whole else _LARGEST
    _require(all(-limit <= value < limit for value in values), key)
    return np.array(values, dtype=np.int64 if whole else float)


def _require(holds: bool, key: str) -> None:
    if not holds:
        raise _UnsoundError(key)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]
