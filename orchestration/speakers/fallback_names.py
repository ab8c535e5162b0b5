"""Names of voices that nobody is known to have: "Speaker A", or a test rig's fixed names."""

import re

from orchestration.speakers.labels import is_lasting
from orchestration.transcript.segments import SpeakerName

CONFIDENCE = 0.5

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def fallback_name(
    stream: int, label: str | None, loopback_names: tuple[str, ...]
) -> SpeakerName | None:
    """What to call a voice by its label, or by its stream in a rig with fixed names.

    The name follows from the label alone, so that it is the same after a restart. A label that
    means its voice in one answer only gets no name: the next "Speaker A" would be somebody else.
    """
    lasting = label if label is not None and is_lasting(label) else None
    place = stream if lasting is None else _place(lasting)
    if place is not None and place < len(loopback_names):
        return SpeakerName(f"loopback:{place}", loopback_names[place], CONFIDENCE, "fallback")
    if lasting is None:
        return None
    raw = lasting.rpartition("#")[2]
    if place is None:
        name = f"Speaker {raw}"
    else:
        name = f"Speaker {LETTERS[place] if place < len(LETTERS) else place + 1}"
    if stream:
        name = f"{name} ({stream})"
    return SpeakerName(lasting, name, CONFIDENCE, "fallback")


def _place(label: str) -> int | None:
    """`SPEAKER_01` and `B` are both the second."""
    raw = label.rpartition("#")[2]
    number = re.search(r"(\d{1,4})$", raw)
    if number:
        return int(number[1])
    return LETTERS.index(raw.upper()) if len(raw) == 1 and raw.upper() in LETTERS else None
