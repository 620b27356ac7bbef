"""How many transitions a replay holds, how, and where; which of them are drawn is the sampling rule's (sampler.py)."""

from __future__ import annotations

import dataclasses
from typing import Literal

from dqn_tf.checks import ConfigError, expect
from dqn_tf.fields import check_types, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Storage:
    """The ring.  ``compression`` and ``placement`` change no bit of what is drawn.

    In config.json and in paths these fields stand among those of the sampling rule (``replay.capacity``), where they
    were when each rule had its own; so every run keeps its identity.
    """

    capacity: int = setting(
        1_000_000, unit="transitions", doc="rows of the ring (the last frame of an episode takes one too)"
    )
    compression: Literal["none", "delta"] = setting(
        "none", doc="how frames are kept (replay/frame_store.py)", later=True
    )
    placement: Literal["host", "device"] = setting("host", doc="where (replay/device_ring.py)", later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.capacity >= 2, "at least 2 transitions", "replay.capacity", self.capacity)
        if self.placement == "device" and self.compression != "none":
            raise ConfigError(
                f"Expected `replay.compression`=none with `replay.placement`=device, got {self.compression}: batches "
                "are made by compiled code there, which reads frames as they are. Set the one or "
                "replay.placement=host."
            )
