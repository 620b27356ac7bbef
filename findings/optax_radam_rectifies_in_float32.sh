#!/usr/bin/env bash
# Optax: the first rectified steps of RAdam are too short, because two numbers near 2,000 are subtracted in float32.
#
# RAdam multiplies Adam's step by a rectification r, which depends on nothing but the number of the update and beta_2:
#
#     rho_inf = 2 / (1 - beta_2) - 1                                    1999 for beta_2 = 0.999
#     rho     = rho_inf - 2 t beta_2^t / (1 - beta_2^t)                 near t at first: 1999 minus nearly as much
#     r       = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
#
# One expects a schedule of Python floats to be good to float32's seven digits. Optax counts in int32 and raises beta_2 to
# it in float32, so that of rho two or three digits are left. With a gradient that is always 1 the step of Adam is 1, and
# what comes out of optax.radam(1.0) is -r itself (-1 before it is rectified). With jax_enable_x64 and the same float32
# parameters r is right. Programs in PyTorch, whose optimizer counts in Python floats, take other first steps.
#
# Seen with optax 0.2.8, jax 0.7.1 on a CPU. Makes a temporary folder, installs the pinned packages there, and fails if
# the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet optax==0.2.8 jax==0.7.1 jaxlib==0.7.1 numpy==2.2.6
cd "$folder"
JAX_PLATFORMS=cpu PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
import optax

UPDATES, BETA_2 = 12, 0.999


def by_formula(t: int) -> float:
    """The rectification of update t in Python floats; 1 while rho is at most 5, the threshold of Optax."""
    rho_inf = 2 / (1 - BETA_2) - 1
    rho = rho_inf - 2 * t * BETA_2**t / (1 - BETA_2**t)
    return ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5 if rho > 5 else 1.0


def of_optax(x64: bool) -> np.ndarray:
    jax.config.update("jax_enable_x64", x64)
    rule, parameter, steps = optax.radam(1.0, b2=BETA_2), jnp.zeros((), jnp.float32), []
    state = rule.init(parameter)
    for _ in range(UPDATES):
        change, state = rule.update(jnp.ones((), jnp.float32), state, parameter)
        assert change.dtype == jnp.float32
        steps.append(-float(change))
    return np.array(steps)


right = np.array([by_formula(t) for t in range(1, UPDATES + 1)])
plain, wide = (of_optax(x64) / right - 1 for x64 in (False, True))
print("optax", optax.__version__, "jax", jax.__version__)
print("expected: r of update t to some 1e-6; got:")
for t, (r, off, off_wide) in enumerate(zip(right, plain, wide, strict=True), start=1):
    print(f"  update {t:2}: r = {r:.6f}, off by {off:+.3%} (with jax_enable_x64 {off_wide:+.3%})")
assert np.abs(wide).max() < 1e-4 and np.abs(plain[:5]).max() < 1e-4, "exact in float64, and before it is rectified"
assert np.abs(plain[5:]).max() > 0.01, "float32 is good enough now"
PY
