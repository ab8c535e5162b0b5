"""Makes the second test meeting: people who talk over each other, and one who comes late.

It is made as `make_meeting.py` makes the first one, by the same voices and with the same needs. Run
it from the root of the repository: ``python -m tests.data.make_review [FOLDER]``. It writes
``review.flac`` and ``review.json``, which has the exact turns.

Where the first meeting is polite, this one is not: listeners say "right" and "okay" into long
turns, people begin before others end, two turns lie fully over one another, and Hugo joins when
more than a third is over.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.data.make_meeting import (
    LANGUAGE,
    LEAD_IN_S,
    LEAD_OUT_S,
    PEAK_CEILING,
    SAMPLE_RATE_HZ,
    Samples,
    Turn,
    Voice,
    levelled,
    samples_of,
    synthesise,
    trimmed,
    write_flac,
    write_json,
)

TITLE = "Review of an outage"
JOIN_LEAD_S = 4.0
"""Who comes late is in the meeting for this long before they say something."""


@dataclass(frozen=True)
class Line:
    """One turn of the script. `after_s` is the silence before it; below 0, the speaker begins
    before the last one ends. With `into_s`, it is said that long after the last long turn began,
    into it, and the meeting goes on as if it had not been."""

    participant_id: str
    after_s: float
    text: str
    into_s: float | None = None


VOICES = (
    Voice("p-201", "Erin", "slt"),
    Voice("p-202", "Frank", "rms"),
    Voice("p-203", "Grant", "awb"),
    Voice("p-204", "Hugo", None),
)
ERIN, FRANK, GRANT, HUGO = (voice.participant_id for voice in VOICES)

SCRIPT = (
    Line(ERIN, 0.0, "Thank you all for coming. Let us go through the outage of last Sunday."),
    Line(FRANK, 0.5, "Yes."),
    Line(GRANT, 0.3, "Okay."),
    Line(
        FRANK,
        0.6,
        "It began in the morning, when the main database ran out of space. The first alarm came"
        " at once, but nobody was looking at it, because it went to the old mailbox.",
    ),
    Line(ERIN, 0.0, "Right.", into_s=3.9),
    Line(GRANT, 0.0, "Mm hmm.", into_s=6.8),
    Line(GRANT, -0.7, "I saw the alarm later, when I came home from the market."),
    Line(ERIN, 0.4, "And what did you do then?"),
    Line(
        GRANT,
        0.8,
        "I looked at the size of the tables, and I removed the oldest reports. That gave us enough"
        " room to start the service again, and the customers could sign in.",
    ),
    Line(FRANK, 0.0, "Okay.", into_s=4.6),
    Line(FRANK, 0.5, "Was any order lost?"),
    Line(GRANT, 0.2, "No."),
    Line(ERIN, 0.3, "Good."),
    Line(FRANK, 1.6, "Some customers waited for their messages until the afternoon."),
    Line(GRANT, -0.6, "That is true, and two of them called the help desk."),
    Line(
        ERIN,
        0.7,
        "Hugo is going to join us now. He has looked at the numbers of the whole month, and he"
        " knows the storage best.",
    ),
    Line(HUGO, 2.2, "Hello everybody. I am sorry that I am late, my train did not come."),
    Line(FRANK, -0.4, "Hello Hugo."),
    Line(ERIN, 0.3, "Welcome. Please tell us what you found."),
    Line(
        HUGO,
        0.6,
        "The database grows by a few percent every week. Most of it is reports that nobody reads"
        " any more. We could keep them for a month and move the rest to the archive.",
    ),
    Line(ERIN, 0.0, "Right.", into_s=3.0),
    Line(GRANT, 0.0, "Yes.", into_s=6.1),
    Line(FRANK, 0.3, "How much would that save?"),
    Line(HUGO, 0.5, "About half of the space, maybe a little more."),
    Line(
        GRANT,
        -0.9,
        "But the finance team needs those reports at the end of the year. We should ask them"
        " first before we move anything.",
    ),
    Line(HUGO, 0.0, "Of course.", into_s=3.2),
    Line(ERIN, 0.4, "Grant, can you talk to them?"),
    Line(GRANT, 0.3, "Sure."),
    Line(FRANK, 1.1, "I will send the alarms to the new mailbox and to our phones."),
    Line(HUGO, 0.0, "And I can write the job that moves the old files.", into_s=1.2),
    Line(
        ERIN,
        0.8,
        "Very good. So Frank takes the alarms, Grant asks the finance team, and Hugo prepares the"
        " archive.",
    ),
    Line(FRANK, 0.0, "Mm hmm.", into_s=2.4),
    Line(HUGO, 0.0, "Yes.", into_s=4.6),
    Line(
        FRANK,
        1.4,
        "There is one more thing. The backup was running at the same time, and it made everything"
        " slower. Could we start it in the evening instead?",
    ),
    Line(GRANT, 0.0, "Yes.", into_s=3.1),
    Line(HUGO, -0.5, "It takes four hours, so it would be over before midnight."),
    Line(ERIN, 0.4, "Does anybody need the servers in the evening?"),
    Line(
        GRANT,
        0.6,
        "The shop in Canada does. Their afternoon is our evening, and most of their orders come"
        " after lunch.",
    ),
    Line(HUGO, 0.0, "Okay.", into_s=3.3),
    Line(FRANK, -0.6, "Then let us begin at two in the morning."),
    Line(HUGO, 0.3, "Fine. I will change the plan today and watch the first night myself."),
    Line(ERIN, 0.0, "Thank you.", into_s=2.2),
    Line(
        GRANT,
        1.3,
        "We should also try to bring the backup back once. Nobody has done that since spring, and"
        " a backup that was never tried is only a hope.",
    ),
    Line(FRANK, 0.0, "Right.", into_s=2.9),
    Line(ERIN, 0.0, "Mm hmm.", into_s=5.2),
    Line(ERIN, 0.4, "Who has time for it?"),
    Line(FRANK, 0.5, "I have. It would take me a day, and I would write down every step."),
    Line(HUGO, 0.0, "I can help him with the storage if he likes.", into_s=1.5),
    Line(HUGO, 0.5, "When do you want it to be ready?"),
    Line(ERIN, 0.6, "By the end of next week, if that is possible."),
    Line(HUGO, 0.4, "That is possible. I will show you a first version on Wednesday."),
    Line(GRANT, -0.5, "I would like to see it too."),
    Line(
        FRANK,
        0.5,
        "Then there is only the letter to the customers. I think we should say what"
        " went wrong and what we are doing about it.",
    ),
    Line(GRANT, 0.0, "Right.", into_s=3.5),
    Line(ERIN, 0.3, "I agree. Thank you everybody, that was quick."),
    Line(HUGO, 0.3, "Bye."),
    Line(FRANK, -0.1, "Goodbye."),
)


def perform() -> tuple[list[Turn], Samples]:
    """Speaks the script; gives the turns by their start, and the mixed sound."""
    voices = {voice.participant_id: voice for voice in VOICES}
    spoken: list[tuple[Turn, Samples]] = []
    position = turn_start = samples_of(LEAD_IN_S)
    with tempfile.TemporaryDirectory() as folder:
        for line in SCRIPT:
            utterance = levelled(
                trimmed(synthesise(voices[line.participant_id], line.text, Path(folder)))
            )
            if line.into_s is not None:
                start = turn_start + samples_of(line.into_s)
            else:
                start = turn_start = position + samples_of(line.after_s)
                position = start + len(utterance)
            turn = Turn(line.participant_id, start, start + len(utterance), line.text)
            spoken.append((turn, utterance))
    end = max(turn.end_sample for turn, _ in spoken)
    mixed = np.zeros(end + samples_of(LEAD_OUT_S))
    for turn, utterance in spoken:
        mixed[turn.start_sample : turn.end_sample] += utterance
    mixed *= min(1.0, PEAK_CEILING / float(np.max(np.abs(mixed))))
    return sorted((turn for turn, _ in spoken), key=lambda turn: turn.start_sample), mixed


def check(turns: list[Turn]) -> None:
    """Nobody talks over themselves: the script's times would be wrong."""
    for voice in VOICES:
        own = [turn for turn in turns if turn.participant_id == voice.participant_id]
        for one, other in pairwise(own):
            if other.start_sample < one.end_sample:
                raise ValueError(f"{voice.name} talks over themselves: {one.text} {other.text}")


def make_review(folder: Path) -> None:
    """Writes review.flac and what is known about it."""
    turns, mixed = perform()
    check(turns)
    write_flac(folder / "review.flac", mixed)
    first_said = next(turn.start_sample for turn in turns if turn.participant_id == HUGO)
    joined = {HUGO: first_said - samples_of(JOIN_LEAD_S)}
    write_json(
        folder / "review.json",
        {
            "title": TITLE,
            "language": LANGUAGE,
            "sample_rate": SAMPLE_RATE_HZ,
            "duration_samples": len(mixed),
            "participants": [
                {
                    "id": voice.participant_id,
                    "name": voice.name,
                    "joined_sample": joined.get(voice.participant_id, 0),
                }
                for voice in VOICES
            ],
            "turns": [vars(turn) for turn in turns],
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the second test meeting.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    make_review(parser.parse_args().folder)


if __name__ == "__main__":
    main()
