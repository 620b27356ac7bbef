from __future__ import annotations

import shutil

import pytest

from reproduce import places
from reproduce.analysis import collecting
from reproduce.presenting.report import requested, writing


@pytest.fixture
def sweep(run_dir, tmp_path):
    """The quickstart's folder, with four of its five CartPole runs."""
    home = tmp_path / "runs" / "quickstart"
    for seed in range(1, 5):
        run_dir(
            f"quickstart/dqn_classic/CartPole-v1/seed_{seed}",
            ((80_000, 500.0),),
            seed=seed,
            frames=80_000,
            preset="dqn_classic",
            environment="CartPole-v1",
            final=(500.0, 490.0),
        )
    lines = ["agent,environment,seed,frames", *(f"dqn_classic,CartPole-v1,{seed},80000" for seed in range(1, 6))]
    (home / "plan.csv").write_text("\n".join(lines) + "\n")
    shutil.copyfile(places.PROTOCOLS / "quickstart.toml", home / "protocol.toml")
    return home


def test_a_claim_is_not_judged_before_its_runs_are_there(sweep, run_dir):
    found = requested.of_folder(sweep, collecting.collect([sweep]))
    (claim,) = found.claims
    assert claim["status"] == "not run" and "CartPole-v1 4 of 5" in claim["explanation"] and claim["ours"] is None
    assert len(found.planned) == 5 and "Breakout gets" in found.deviations[0]["what"]
    assert "5 runs: 4 complete, 1 not run." in writing.make(sweep, requested.of_folder)
    assert "4 runs: 4 complete." in writing.make(sweep / "dqn_classic", requested.of_folder)  # no word of the plan

    run_dir(
        "quickstart/dqn_classic/CartPole-v1/seed_5",
        ((80_000, 500.0),),
        seed=5,
        frames=80_000,
        preset="dqn_classic",
        environment="CartPole-v1",
        final=(400.0,),
    )
    (claim,) = requested.of_folder(sweep, collecting.collect([sweep])).claims
    assert (claim["status"], claim["ours"]) == ("held", pytest.approx((4 * 495 + 400) / 5))
    assert claim["published"] == 475.0


def test_a_damaged_plan_is_said_and_the_rest_is_shown(sweep):
    (sweep / "plan.csv").write_text("agent\n")
    text = writing.make(sweep, requested.of_folder)
    assert "not readable: Expected the columns" in text and "4 runs: 4 complete." in text


def test_a_folder_without_a_plan_has_no_protocol(sweep):
    (sweep / "plan.csv").unlink()
    assert requested.of_folder(sweep, collecting.collect([sweep])) is None
