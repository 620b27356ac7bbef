"""An agent made visible: ``dqn-tf watch`` writes one HTML page, and a video; ``dqn-tf pictures`` figures.

| module | holds |
| --- | --- |
| `played` | plays the episodes, and keeps each step's screen, observation, values, action, reward and TD error |
| `distributions` | the return's distribution of every action, as the value family predicts it |
| `picture_series` | many pictures of one size in few bytes, which a browser can read |
| `watch_page`, `watch_video` | the page, the MP4 file |
| `recorded_states` | what the figures are drawn of (`reproduce/presenting/plots/states.py`), in one small file |
| `saliency` | which pixels the Q-values depend on |
| `watch_command`, `commands` | the call from Python, the commands |
"""
