"""Optimizers: the update of a weight in one operation of the framework, with Keras's default settings.

Sources: J. Duchi et al., "Adaptive subgradient methods", 2011 (AdaGrad); D. Kingma, J. Ba, "Adam", 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from perfcast.export.training.variables import ZEROS, assign, constant, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.export.training.slicing import Part
    from perfcast.export.training.variables import Variables

_MOMENTUM = 0.9
"""As published with ResNet and MobileNet; Keras has no default but 0."""
_BETAS = (0.9, 0.999)
_EPSILON = 1e-7
_ACCUMULATED = 0.1


class Sgd:
    """Stochastic gradient descent; the others are of this form."""

    SLOTS: ClassVar[Mapping[str, str]] = {}
    """The state of each weight, of the weight's shape: the distribution of its first values, by name."""

    def __init__(self, variables: Variables, rate: Any) -> None:
        self.variables, self.rate = variables, rate

    def apply(self, name: str, weight: Any, gradient: Any) -> Any:
        """Return the operation that updates a weight and its state.

        Args:
            name: of the weight.
            weight: its resource.
            gradient: of the loss, dense.
        """
        return self._update(weight, gradient, **self._slots(name, gradient.shape, gradient.dtype.name))

    def apply_part(self, name: str, weight: Any, rows: Any, part: Part) -> list[Any]:
        """Return the operations that update a part of a weight, and of its state, which has outputs as first axis.

        Args:
            name, weight: as in `apply`.
            rows: the part of the gradient, outputs first.
            part: what of the weight it is.
        """
        import tensorflow as tf

        dtype = rows.dtype.name
        slots = self._slots(name, part.rows_shape, dtype)
        state = {
            slot: tf.raw_ops.ResourceGather(resource=resource, indices=part.indices, dtype=dtype)
            for slot, resource in slots.items()
        }
        change, now = self._change(rows, **state)
        stored = [
            tf.raw_ops.ResourceScatterUpdate(resource=slots[slot], indices=part.indices, updates=value)
            for slot, value in now.items()
        ]
        return [*stored, tf.raw_ops.AssignAddVariableOp(resource=weight, value=part.in_whole(change))]

    def finish(self) -> list[Any]:
        """Return the operations that a step ends with."""
        return []

    def _slots(self, name: str, shape: Sequence[int], dtype: str) -> dict[str, Any]:
        return {
            slot: self.variables.add(f"{name}_{slot}", shape, dtype, distribution)
            for slot, distribution in self.SLOTS.items()
        }

    def _update(self, weight: Any, gradient: Any) -> Any:
        import tensorflow as tf

        return tf.raw_ops.ResourceApplyGradientDescent(var=weight, alpha=self.rate, delta=gradient)

    def _change(self, gradient: Any) -> tuple[Any, dict[str, Any]]:
        """Return what is added to the weight, and the new state: `_update` where no operation updates a part."""
        return -self.rate * gradient, {}


class Momentum(Sgd):
    """SGD with momentum, as Keras computes it."""

    SLOTS: ClassVar[Mapping[str, str]] = {"momentum": ZEROS}

    def _update(self, weight: Any, gradient: Any, *, momentum: Any) -> Any:  # type: ignore[override]
        import tensorflow as tf

        return tf.raw_ops.ResourceApplyKerasMomentum(
            var=weight, accum=momentum, lr=self.rate, grad=gradient, momentum=_MOMENTUM
        )

    def _change(self, gradient: Any, *, momentum: Any) -> tuple[Any, dict[str, Any]]:  # type: ignore[override]
        now = _MOMENTUM * momentum - self.rate * gradient
        return now, {"momentum": now}


class Adagrad(Sgd):
    """Rates that shrink with the sum of squared gradients."""

    SLOTS: ClassVar[Mapping[str, str]] = {"accumulator": constant(_ACCUMULATED)}

    def _update(self, weight: Any, gradient: Any, *, accumulator: Any) -> Any:  # type: ignore[override]
        import tensorflow as tf

        return tf.raw_ops.ResourceApplyAdagradV2(
            var=weight, accum=accumulator, lr=self.rate, epsilon=_EPSILON, grad=gradient
        )

    def _change(self, gradient: Any, *, accumulator: Any) -> tuple[Any, dict[str, Any]]:  # type: ignore[override]
        import tensorflow as tf

        now = accumulator + gradient * gradient
        return -self.rate * gradient / (tf.sqrt(now) + _EPSILON), {"accumulator": now}


class Adam(Sgd):
    """Two moments of each gradient, corrected by powers of their decays."""

    SLOTS: ClassVar[Mapping[str, str]] = {"m": ZEROS, "v": ZEROS}

    def __init__(self, variables: Variables, rate: Any) -> None:
        super().__init__(variables, rate)
        self.powers = [
            variables.add(f"beta_{number}_power", (), "float32", constant(beta))
            for number, beta in enumerate(_BETAS, 1)
        ]
        self.values = [read(power, "float32") for power in self.powers]

    def _update(self, weight: Any, gradient: Any, *, m: Any, v: Any) -> Any:  # type: ignore[override]
        import tensorflow as tf

        return tf.raw_ops.ResourceApplyAdam(
            var=weight,
            m=m,
            v=v,
            beta1_power=self.values[0],
            beta2_power=self.values[1],
            lr=self.rate,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            epsilon=_EPSILON,
            grad=gradient,
        )

    def _change(self, gradient: Any, *, m: Any, v: Any) -> tuple[Any, dict[str, Any]]:  # type: ignore[override]
        import tensorflow as tf

        first, second = self.values
        m += (gradient - m) * (1 - _BETAS[0])
        v += (gradient * gradient - v) * (1 - _BETAS[1])
        rate = self.rate * tf.sqrt(1 - second) / (1 - first)
        return -rate * m / (tf.sqrt(v) + _EPSILON), {"m": m, "v": v}

    def finish(self) -> list[Any]:
        """Return the operations that raise the powers."""
        return [
            assign(power, value * beta) for power, value, beta in zip(self.powers, self.values, _BETAS, strict=True)
        ]


OPTIMIZERS: Mapping[str, type[Sgd]] = {"sgd": Sgd, "momentum": Momentum, "adam": Adam, "adagrad": Adagrad}
"""By the names that the factor `optimizer` has."""
