"""AdamW against its recurrence in float64, and with a decay of 0 against Adam; against Optax: tests/independent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.adamw import AdamW
from dqn_tf.agent.optimizers import Adam

RATE = 2.0**-8  # exact in the float32 that Keras keeps it in
SHAPES = ((3, 2), (2,), (2, 1, 3), ())
STEPS = 20


def draws(number: int) -> list[list[np.ndarray]]:
    random = np.random.default_rng(number)
    return [[random.normal(size=shape) for shape in SHAPES] for _ in range(STEPS)]


def final(rule: Any, dtype: str = "float64") -> list[np.ndarray]:
    """The variables after all steps, from the first draw of ``draws(1)`` on."""
    variables = [tf.keras.Variable(x.astype(dtype), dtype=dtype) for x in draws(1)[0]]
    built = rule.build(variables)
    step = tf.function(lambda *g: built.apply_gradients(list(zip(g, variables, strict=True))), autograph=False)
    for gradients in draws(2):
        step(*(tf.constant(g, dtype) for g in gradients))
    return [np.asarray(v) for v in variables]


def naive(weight_decay: float, form: str) -> list[np.ndarray]:
    """Algorithm 2, line by line; vectors are spared."""
    out = []
    for place, shape in enumerate(SHAPES):
        w, m, v = draws(1)[0][place], np.zeros(shape), np.zeros(shape)
        share = 0.0 if len(shape) == 1 else weight_decay
        for t, gradients in enumerate(draws(2), start=1):
            g = gradients[place]
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            root = np.sqrt(1 - 0.999**t)
            below = np.sqrt(v) / root + 1e-3 if form == "corrected" else (np.sqrt(v) + 1e-3) / root
            w = w - RATE * (m / (1 - 0.9**t) / below + share * w)
        out.append(w)
    return out


def test_one_step_by_hand() -> None:
    """w = 4, dw = 8: Adam takes lr away whatever the size, the decay lr / 2 of w; of a vector Adam's part alone."""
    matrix, vector = (tf.keras.Variable(np.full(shape, 4.0), dtype="float64") for shape in ((1, 1), (1,)))
    rule = AdamW(learning_rate=0.25, epsilon=1e-15, weight_decay=0.5)
    rule.build([matrix, vector]).apply_gradients([(tf.constant(8.0, tf.float64, v.shape), v) for v in (matrix, vector)])
    assert float(matrix[0, 0]) == pytest.approx(4 - 4 / 8 - 0.25) and float(vector[0]) == pytest.approx(4 - 0.25)


@pytest.mark.parametrize("form", ["corrected", "hat"])
def test_the_recurrence(form: Any) -> None:
    found = final(AdamW(learning_rate=RATE, epsilon=1e-3, epsilon_form=form, weight_decay=0.3))
    for ours, want in zip(found, naive(0.3, form), strict=True):
        np.testing.assert_allclose(ours, want, rtol=1e-5, atol=1e-7)  # the betas are float32
    spared, others = naive(0.0, form)[1], naive(0.0, form)[0]
    assert np.allclose(found[1], spared, rtol=1e-5) and not np.allclose(found[0], others, rtol=1e-3)


def test_without_decay_it_is_adam_to_the_last_bit() -> None:
    plain, decaying = (
        final(cls(learning_rate=1e-3, epsilon=1e-4, epsilon_form="corrected", **more), "float32")
        for cls, more in ((Adam, {}), (AdamW, {"weight_decay": 0.0}))
    )
    assert all(map(np.array_equal, plain, decaying))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("weight_decay", -0.1, "Expected a number in [0, 1 / optimizer.learning_rate=10000] for"),
        ("weight_decay", 10_001.0, "Weights would change their signs."),
        ("learning_rate", 0.0, "Expected a number > 0 for `optimizer.learning_rate`"),
        ("beta_2", 1.0, "Expected a number in [0, 1) for `optimizer.beta_2`"),
        ("epsilon", 0.0, "Expected a number > 0 for `optimizer.epsilon`"),
    ],
)
def test_what_is_refused(outcome: Callable[..., str], field: str, value: float, text: str) -> None:
    assert text in outcome(AdamW, **{field: value})
