"""Where each value of the named protocols was read.

[mem] marks what is remembered of a paper and was not read in a source.  Lua = google-deepmind/dqn, alewrap =
google-deepmind/alewrap, torch = torch/image, Zoo = google-deepmind/dqn_zoo, Dopamine = google/dopamine.
"""

from __future__ import annotations

_NATURE2015 = {
    "frame_skip": "Lua run_gpu: actrep=4",
    "stack": "Lua run_gpu: hist_len=4",
    "stack_padding": "Lua TransitionTable.lua concatFrames: frames before the last terminal are zeroed",
    "sticky_probability": "alewrap GameEnvironment.lua: every action is played as given",
    "noops_min": "alewrap GameEnvironment.lua nextRandomGame: a finished game is reset without a frame, then k null "
    "frames, k uniform in 1..random_starts",
    "noops_max": "Lua run_gpu: random_starts=30",
    "life_noops_min": "alewrap GameEnvironment.lua: after a lost life newGame plays one null frame in the running "
    "game, then nextRandomGame its k: lives, too, begin with no-ops",
    "life_noops_max": "as life_noops_min: 1 + 30",
    "noops_unit": "alewrap GameEnvironment.lua _step plays one emulator frame",
    "pool_noops": "alewrap GameScreen.lua grab: the last two painted frames, null frames included",
    "fire_on_reset": "alewrap GameEnvironment.lua: no FIRE",
    "life_loss_training": "alewrap GameEnvironment.lua step(action, training): a lost life is terminal and stops the "
    "repeats; Lua train_agent.lua passes training=true",
    "life_loss_evaluation": "Lua train_agent.lua: 'episodes don't end when losing a life'",
    "max_frames_pooled": "Lua run_gpu: pool_frms size=2, type=max",
    "pool_order": "alewrap GameScreen.lua pools RGB images; Lua Scale.lua comes after",
    "luminance": "Lua Scale.lua image.rgb2y; torch generic/image.c rgb2y: 0.299, 0.587, 0.114",
    "luminance_rounding": "alewrap GameScreen.lua divides by 255 into floats, which stay floats through Scale.lua",
    "resize": "Lua Scale.lua image.scale(..., 'bilinear'); torch generic/image.c Main_scaleLinear_rowcol: where it "
    "shrinks (dst_len < src_len) this is the mean over the covered box, not interpolation",
    "pixel_rounding": "Lua TransitionTable.lua add, add_recent_state: float times 255 stored as byte, which truncates. "
    "Torch's float32 noise (a constant gray v may become v - 1) is not imitated",
    "frame_height": "Lua net_downsample_2x_full_y.lua",
    "frame_width": "Lua net_downsample_2x_full_y.lua",
    "reward_clip": "Lua run_gpu: min_reward=-1, max_reward=1; NeuralQLearner.lua perceive",
    "max_frames_per_episode": "no limit in Lua or alewrap; 30 minutes of play chosen, as in the later suites",
    "max_frames_per_evaluation_episode": "Mnih et al. 2015, Methods: up to 5 minutes of play [mem]; Lua's own "
    "evaluation during training has no limit",
    "action_set": "alewrap alewrap.cc ale_legalActions: getMinimalActionSet",
    "mode": "Lua, alewrap: none is set",
    "difficulty": "Lua, alewrap: none is set",
    "ending_screen": "alewrap GameEnvironment.lua _step paints the screen of every frame, the last one's too",
}

_DQN_ZOO = {
    "frame_skip": "Zoo dqn/run_atari.py: num_action_repeats=4",
    "stack": "Zoo dqn/run_atari.py: num_stacked_frames=4",
    "stack_padding": "Zoo processors.py atari: trailing_zero_pad (A000, AB00, ...)",
    "sticky_probability": "Zoo gym_atari.py: repeat_action_probability=0.0",
    "noops_min": "Zoo dqn/run_atari.py: min_noop_steps=1",
    "noops_max": "Zoo dqn/run_atari.py: max_noop_steps=30",
    "life_noops_min": "Zoo processors.py: the episode goes on after a lost life",
    "life_noops_max": "Zoo processors.py: the episode goes on after a lost life",
    "noops_unit": "Zoo gym_atari.py: no-ops are inside the action repeat, frameskip=1",
    "pool_noops": "Zoo gym_atari.py: reset returns the last no-op's frame; processors.py pools it with zeros",
    "fire_on_reset": "Zoo gym_atari.py: no FIRE",
    "life_loss_training": "Zoo processors.py ZeroDiscountOnLifeLoss",
    "life_loss_evaluation": "Zoo dqn/run_atari.py: evaluation uses the same processor",
    "max_frames_pooled": "Zoo dqn/run_atari.py: num_pooled_frames=2",
    "pool_order": "Zoo processors.py atari: maximum, then rgb2y, then resize",
    "luminance": "Zoo processors.py rgb2y: 0.299, 0.587, 0.114",
    "luminance_rounding": "Zoo processors.py rgb2y: astype(np.uint8) truncates. Its float64 noise (a gray v may become "
    "v - 1) is not imitated",
    "resize": "Zoo processors.py resize: PIL Image.Resampling.BILINEAR",
    "pixel_rounding": "Pillow src/libImaging/Resample.c rounds in fixed point",
    "frame_height": "Zoo dqn/run_atari.py: environment_height=84",
    "frame_width": "Zoo dqn/run_atari.py: environment_width=84",
    "reward_clip": "Zoo dqn/run_atari.py: max_abs_reward=1; processors.py: sum, then clip",
    "max_frames_per_episode": "Zoo dqn/run_atari.py: max_frames_per_episode=108000 (no-ops not counted there)",
    "max_frames_per_evaluation_episode": "Zoo dqn/run_atari.py: the same",
    "action_set": "Zoo gym_atari.py: full_action_space=False",
    "mode": "Zoo gym_atari.py: mode=None",
    "difficulty": "Zoo gym_atari.py: difficulty=None",
    "ending_screen": "ours; Zoo processors.py FixedPaddedBuffer pools the last two places of a step of four: of a game "
    "that ends earlier, the places that it did not reach are black (docs/screens.md)",
}

_DOPAMINE = {
    "frame_skip": "Dopamine discrete_domains/atari_lib.py AtariPreprocessing: frame_skip=4",
    "stack": "Dopamine jax/agents/dqn/dqn_agent.py: NATURE_DQN_STACK_SIZE",
    "stack_padding": "Dopamine dqn_agent.py _reset_state: state filled with zeros, newest frame last",
    "sticky_probability": "Dopamine atari_lib.py: sticky_actions=True means 0.25",
    "noops_min": "Dopamine: none",
    "noops_max": "Dopamine: none",
    "life_noops_min": "Dopamine: none",
    "life_noops_max": "Dopamine: none",
    "noops_unit": "of no effect here",
    "pool_noops": "of no effect here",
    "fire_on_reset": "Dopamine atari_lib.py: only with use_ppo_preprocessing",
    "life_loss_training": "Dopamine atari_lib.py AtariPreprocessing: terminal_on_life_loss=False",
    "life_loss_evaluation": "Dopamine atari_lib.py AtariPreprocessing: terminal_on_life_loss=False",
    "max_frames_pooled": "Dopamine atari_lib.py: screen_buffer of two. Where a game ends it keeps the screens of "
    "before; here the last ones are shown (docs/screens.md)",
    "pool_order": "Dopamine atari_lib.py: getScreenGrayscale, then np.maximum",
    "luminance": "Dopamine atari_lib.py: getScreenGrayscale",
    "luminance_rounding": "ALE rounds its gray palette",
    "resize": "Dopamine atari_lib.py: cv2.INTER_AREA; one gray level off at some exact halves (docs/screens.md)",
    "pixel_rounding": "OpenCV's resize of bytes rounds",
    "frame_height": "Dopamine atari_lib.py: screen_size=84",
    "frame_width": "Dopamine atari_lib.py: screen_size=84",
    "reward_clip": "Dopamine discrete_domains/run_experiment.py: clip_rewards=True, [-1, 1]",
    "max_frames_per_episode": "Dopamine dqn.gin: 27,000 steps = 108,000 frames, the limit behind its published TF "
    "curves; the present code's Gymnasium limit of 100,000 frames comes first",
    "max_frames_per_evaluation_episode": "as max_frames_per_episode",
    "action_set": "Dopamine atari_lib.py: Gymnasium's default, minimal",
    "mode": "Dopamine atari_lib.py create_atari_environment: none is set",
    "difficulty": "Dopamine atari_lib.py create_atari_environment: none is set",
    "ending_screen": "ours; Dopamine atari_lib.py reads the last two frames of a step alone: of a game that ends "
    "earlier, screens of the step before are shown once more (docs/screens.md)",
}

_MACHADO2018 = {
    **{name: f"not prescribed by the paper; as dopamine ({text})" for name, text in _DOPAMINE.items()},
    "sticky_probability": "Machado et al. 2018 (arXiv 1709.06009), section 5 [mem]: 0.25",
    "life_loss_training": "Machado et al. 2018, section 5 [mem]: the end of an episode is the game's, not a life's",
    "life_loss_evaluation": "as life_loss_training",
    "action_set": "Machado et al. 2018, section 5 [mem]: all 18 actions",
    "max_frames_per_episode": "Machado et al. 2018 [mem]: 5 minutes = 18,000 frames",
    "max_frames_per_evaluation_episode": "as max_frames_per_episode",
    "frame_skip": "as dopamine; the paper's own experiments may have used 5 [mem]",
    "mode": "Machado et al. 2018, section 6 [mem]: modes are an experiment of their own; the tables are of the game as "
    "it starts",
    "difficulty": "as mode",
}

_ATARI100K = {
    **_DOPAMINE,
    "sticky_probability": "Dopamine labs/atari_100k/configs/DER.gin: sticky_actions=False",
    "noops_max": "Dopamine labs/atari_100k/atari_100k_runner.py _initialize_episode: randint(0, max_noops=30), 30 "
    "excluded",
    "noops_unit": "Dopamine atari_100k_runner.py: no-ops are environment steps",
    "life_loss_training": "Dopamine DER.gin: terminal_on_life_loss=True",
    "life_loss_evaluation": "Dopamine DER.gin: the same in evaluation; atari_100k_runner.py cuts the history at a lost "
    "life and sums the return to the game's end",
    "max_frames_per_episode": "Dopamine DER.gin: 27,000 steps = 108,000 frames",
    "max_frames_per_evaluation_episode": "Dopamine DER.gin: 27,000 steps = 108,000 frames",
}

# EnvPool = sail-sg/envpool@0099d73:envpool/atari/atari_env.h; yaml = mttga/purejaxql@47af6d7, pqn_atari.yaml.
_ENVPOOL = {
    "frame_skip": "yaml: frame_skip: 4",
    "stack": "EnvPool: stack_num 4",
    "stack_padding": "EnvPool PushStack: a new game's first screen fills the stack. After a lost life it goes on "
    "there; here it begins anew",
    "sticky_probability": "yaml: repeat_action_probability: 0",
    "noops_min": "EnvPool Reset: dist_noop_ + 1, less 1 where the game has FIRE: 0..29. Without FIRE 1..30 there",
    "noops_max": "yaml: noop_max: 30; EnvPool as noops_min",
    "life_noops_min": "EnvPool Reset: as noops_min, also where the game goes on after a lost life",
    "life_noops_max": "EnvPool Reset: as noops_max, also where the game goes on after a lost life",
    "noops_unit": "EnvPool Reset: act(0) plays one frame",
    "pool_noops": "EnvPool Reset: shows the newest screen alone",
    "fire_on_reset": "EnvPool: use_fire_reset. It holds FIRE for one frame, here a step of four",
    "life_loss_training": "yaml: episodic_life: True. There the step in which a life is lost plays all its frames",
    "life_loss_evaluation": "pqn_atari.py: its test environments are made like the others",
    "max_frames_pooled": "EnvPool Step: the last two frames",
    "pool_order": "EnvPool: applyPaletteGrayscale, then the maximum",
    "luminance": "EnvPool: the emulator's gray palette",
    "luminance_rounding": "ALE rounds its gray palette",
    "resize": "EnvPool: use_inter_area_resize; OpenCV's INTER_AREA",
    "pixel_rounding": "OpenCV's resize of bytes rounds",
    "frame_height": "EnvPool: img_height 84",
    "frame_width": "EnvPool: img_width 84",
    "reward_clip": "yaml: reward_clip: True; EnvPool Step: the sign of the sum, which of whole numbers is the same",
    "max_frames_per_episode": "EnvPool's max_episode_steps, 27,000 steps [mem]. It ends the value there; here the "
    "value of the last state counts",
    "max_frames_per_evaluation_episode": "as max_frames_per_episode",
    "action_set": "EnvPool: full_action_space False",
    "mode": "EnvPool: none is set",
    "difficulty": "EnvPool: none is set",
    "ending_screen": "ours; EnvPool Step may show an earlier screen where a game ends within a step",
}

SOURCES: dict[str, dict[str, str]] = {
    "nature2015": _NATURE2015,
    "dqn_zoo": _DQN_ZOO,
    "dopamine": _DOPAMINE,
    "machado2018": _MACHADO2018,
    "atari100k": _ATARI100K,
    "envpool": _ENVPOOL,
}
