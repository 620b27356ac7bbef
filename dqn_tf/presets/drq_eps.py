"""DrQ(eps): DrQ with the epsilons of Dopamine's Rainbow, 0.01 in training and 0.001 in evaluation.

Source: `google/dopamine@5873f54`: `dopamine/labs/atari_100k/configs/DrQ_eps.gin`, which differs from `DrQ.gin` in these
two values alone; everything else is in drq.py.
Paper: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (arXiv 2108.13264).
"""

from __future__ import annotations

from dqn_tf.presets.drq import preset

PRESET = preset(
    name="drq_eps",
    summary="DrQ(eps) (Atari 100k): DrQ with epsilons of 0.01 in training and 0.001 in evaluation",
    reference="Agarwal et al. 2021, arXiv 2108.13264; google/dopamine@5873f54:dopamine/labs/atari_100k",
    gin="DrQ_eps.gin",
    epsilon=0.01,
    epsilon_scored=0.001,
)
