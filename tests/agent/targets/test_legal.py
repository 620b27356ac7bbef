"""Targets over legal actions: by hand, and against the same problem without the illegal actions."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.targets.legal import check_rule
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.fqf import FQF, Proposed
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.checks import ConfigError
from dqn_tf.types import Masks, TargetTerms, Transition, ValueOutputs

RULES = [Greedy(), Double(), Munchausen(tau=0.5), Munchausen(alpha=0.5, tau=2.0)]
B, A, N = 8, 4, 5


def terms(rule: Any, q_next: Any, q: Any, online: Any, a: Any, masks: Any = ()) -> TargetTerms:
    """What a rule makes of arrays: by the target network of s_t and s_tm1, by the online network of s_t."""
    values = [ValueOutputs(tf.constant(x, tf.float32)) for x in (q_next, q, online)]
    others = {("target", "s_tm1"): values[1], ("online", "s_t"): values[2]}
    found = rule.terms(values[0], others, tf.constant(a, tf.int32), *([masks] if masks else []))
    return TargetTerms(*(np.asarray(x) for x in found))


# -- by hand -----------------------------------------------------------------------------------------------------------
NEXT, ONLINE, STATE = [[9.0, 2.0, 3.0]], [[1.0, 8.0, 4.0]], [[0.0, math.log(3.0), 7.0]]


def test_greedy_bootstraps_from_the_best_legal_action() -> None:
    """Q = 9, 2, 3, and the action of 9 is illegal: y = r + gamma 3."""
    masks = Masks([[True] * 3], [[False, True, True]])
    found = terms(Greedy(), NEXT, STATE, ONLINE, [1], masks)
    assert found.policy.tolist() == [[0, 0, 1]] and float((found.policy * NEXT).sum()) == 3.0
    assert terms(Greedy(), NEXT, STATE, ONLINE, [1]).policy.tolist() == [[1, 0, 0]]


def test_double_chooses_among_the_legal_actions() -> None:
    """The online network's 8 is illegal, so its 4 chooses, and the target network's 3 is backed up (not 2, not 9)."""
    masks = Masks([[True] * 3], [[True, False, True]])
    found = terms(Double(), NEXT, STATE, ONLINE, [1], masks)
    assert found.policy.tolist() == [[0, 0, 1]] and float((found.policy * NEXT).sum()) == 3.0


def test_munchausen_has_both_its_policies_over_the_legal_actions() -> None:
    """s: Q = 0, ln 3 of the legal ones: pi = 1/4, 3/4.  s': Q = 2, 3 of the legal ones: pi = 1/(1+e), e/(1+e)."""
    masks = Masks([[True, True, False]], [[False, True, True]])
    found = terms(Munchausen(alpha=0.5, tau=1.0, log_policy_min=-9.0), NEXT, STATE, ONLINE, [0], masks)
    share = math.e / (1 + math.e)
    np.testing.assert_allclose(found.policy, [[0, 1 - share, share]], rtol=1e-6)
    np.testing.assert_allclose(found.value_bonus, [[0, -math.log(1 - share), -math.log(share)]], rtol=1e-6)
    np.testing.assert_allclose(found.reward_bonus, [0.5 * math.log(1 / 4)], rtol=1e-6)
    backed_up = (found.policy * (np.array(NEXT) + found.value_bonus)).sum()
    np.testing.assert_allclose(backed_up, math.log(math.e**2 + math.e**3), rtol=1e-6)  # V = tau ln sum exp(Q / tau)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_one_legal_action_is_the_policy(rule: Any) -> None:
    masks = Masks([[True, False, False]], [[False, True, False]])
    found = terms(rule, NEXT, STATE, ONLINE, [0], masks)
    assert found.policy.tolist() == [[0, 1, 0]] and not found.value_bonus.any() and not found.reward_bonus.any()


# -- random problems ---------------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Problem:
    """Random outputs of networks, with one mask for the whole batch for each state."""

    seed: int
    legal_tm1: np.ndarray
    legal_t: np.ndarray

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.dist, self.next_dist, self.online, self.before = (2 * random.normal(size=(4, B, A, N))).astype(np.float32)
        self.taus = np.sort(random.random((B, N))).astype(np.float32)
        self.r_t = random.normal(size=B).astype(np.float32)
        self.discount_t = np.where(random.random(B) < 0.3, 0, 0.9).astype(np.float32)
        self.a_tm1 = random.choice(np.flatnonzero(self.legal_tm1), B).astype(np.int32)
        self.next_dist[:, ~self.legal_t] += 100  # what must not be bootstrapped from
        self.online[:, ~self.legal_t] += 100
        self.before[:, ~self.legal_tm1] += 100


def outputs(family: Any, dist: np.ndarray, taus: np.ndarray) -> ValueOutputs:
    """Q and dist of a family; Q is consistent with dist where the family says how."""
    if isinstance(family, Expected):
        return ValueOutputs(tf.constant(dist[..., 0]))
    q = np.asarray(family._mean(tf.constant(dist))) if isinstance(family, Categorical) else dist.mean(axis=-1)
    edges = np.concatenate([np.zeros((B, 1)), taus], axis=1).astype(np.float32)
    proposal = Proposed(tf.constant(edges), tf.zeros(B), tf.constant(dist[..., :-1]))
    return ValueOutputs(tf.constant(q), tf.constant(dist), tf.constant(taus), proposal)


def losses(family: Any, rule: Any, p: Problem, cut: bool) -> Any:
    """cut: with only the legal actions of s' (and of s in its log-policy), and no masks."""
    at, before = (p.legal_t, p.legal_tm1) if cut else (slice(None), slice(None))
    values, following = outputs(family, p.dist, p.taus), outputs(family, p.next_dist[:, at], p.taus)
    online, earlier = outputs(family, p.online[:, at], p.taus), outputs(family, p.before[:, before], p.taus)
    others = {("target", "s_tm1"): earlier, ("online", "s_t"): online}
    taken = np.flatnonzero(p.legal_tm1).searchsorted(p.a_tm1) if cut else p.a_tm1
    legal = Masks(*(np.tile(mask, (B, 1)) for mask in (p.legal_tm1, p.legal_t)))
    found = rule.terms(following, others, tf.constant(taken, tf.int32), *([] if cut else [legal]))
    transitions = Transition(None, tf.constant(p.a_tm1), tf.constant(p.r_t), tf.constant(p.discount_t), None)
    return family.losses(values, transitions, following, found)


FAMILIES = [
    Expected(),
    Categorical(atoms=N),
    Categorical(atoms=N, v_min=2.0, v_max=9.0),
    Quantile(quantiles=N),
    ImplicitQuantile(samples=N, target_samples=N),
    FQF(fractions=N),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.KIND)
def test_illegal_actions_are_as_if_they_were_not_there(family: Any, rule: Any) -> None:
    """To float32 rounding: sums over fewer actions have another order."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        one, other = (np.array([True, False, *(random.random(A - 2) < 0.5)])[random.permutation(A)] for _ in range(2))
        problem = Problem(seed, one, other)
        masked, cut = losses(family, rule, problem, False), losses(family, rule, problem, True)
        for name in ("loss", "td_error", "priority"):
            np.testing.assert_allclose(getattr(masked, name), getattr(cut, name), rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.KIND)
def test_masks_that_allow_all_change_no_bit(family: Any, rule: Any) -> None:
    problem = Problem(1, np.ones(A, bool), np.ones(A, bool))
    masked, without = losses(family, rule, problem, False), losses(family, rule, problem, True)
    for name in ("loss", "td_error", "priority"):
        assert np.asarray(getattr(masked, name)).tobytes() == np.asarray(getattr(without, name)).tobytes(), name


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_naive_twin_with_another_mask_for_each_state(rule: Any) -> None:
    random = np.random.default_rng(5)
    q_next, q, online = (3 * random.normal(size=(3, 50, A))).astype(np.float32)
    legal = random.random((2, 50, A)) < 0.5
    legal[..., 0] |= ~legal.any(axis=-1)
    a = np.array([random.choice(np.flatnonzero(row)) for row in legal[0]])
    found = terms(rule, q_next, q, online, a, Masks(*legal))
    for b in range(50):
        policy, bonus, extra = naive(rule, q_next[b], q[b], online[b], int(a[b]), legal[0][b], legal[1][b])
        np.testing.assert_allclose(found.policy[b], policy, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.value_bonus[b], bonus, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.reward_bonus[b], extra, rtol=1e-4, atol=1e-5)


def naive(rule: Any, q_next: Any, q: Any, online: Any, a: int, legal_tm1: Any, legal_t: Any) -> Any:
    """Action by action."""
    policy, bonus = [0.0] * A, [0.0] * A
    actions = [i for i in range(A) if legal_t[i]]
    if not isinstance(rule, Munchausen):
        chooses = online if isinstance(rule, Double) else q_next
        policy[max(actions, key=lambda i: chooses[i])] = 1.0
        return policy, bonus, 0.0
    total = sum(math.exp(q_next[i] / rule.tau) for i in actions)
    for i in actions:
        policy[i] = math.exp(q_next[i] / rule.tau) / total
        bonus[i] = -rule.tau * math.log(policy[i])
    before = sum(math.exp(q[i] / rule.tau) for i in range(A) if legal_tm1[i])
    taken = q[a] - rule.tau * math.log(before)
    return policy, bonus, rule.alpha * min(0.0, max(rule.log_policy_min, taken))


# -- rules that do not know masks --------------------------------------------------------------------------------------
def test_a_rule_without_masks_is_refused() -> None:
    class Old:
        def terms(self, next_outputs: Any, others: Any, a_tm1: Any) -> Any: ...

    with pytest.raises(ConfigError, match=r"a target rule whose `terms` takes `masks` .* got Old: it would bootstrap"):
        check_rule(Old())
    for rule in RULES:
        check_rule(rule)
