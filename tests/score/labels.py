"""Speaker labels as a whisper service that diarizes would give them, some of them confused."""

from __future__ import annotations

import random
from dataclasses import replace

from orchestration.services.ports import Hypothesis, HypothesisWord
from orchestration.session.session import TranscribeOrder
from tests.score.known_meetings import KnownMeeting
from tests.score.replay import Answer


def labelled(
    answer: Answer, meeting: KnownMeeting, confused: float, chance: random.Random
) -> Answer:
    """An engine's answers with a label for each word that somebody spoke.

    A label is the same voice all through the meeting. Where two speak, it is the label of who
    began first; `confused` is the share of words that get another's.
    """
    labels = {who: f"SPEAKER_{number:02d}" for number, who in enumerate(meeting.people)}

    async def answer_with_labels(order: TranscribeOrder) -> Hypothesis:
        hypothesis = await answer(order)

        def labelled_word(word: HypothesisWord) -> HypothesisWord:
            middle_s = (word.start_ms + word.end_ms) / 2000
            at = order.chunk.start + middle_s * meeting.sample_rate
            speaking = (one.who for one in meeting.turns if one.start <= at < one.end)
            who = next(speaking, None)
            if who is None:
                return word
            if chance.random() < confused:
                who = chance.choice([one for one in meeting.people if one != who])
            return replace(word, label=labels[who])

        segments = tuple(
            replace(segment, words=tuple(labelled_word(word) for word in segment.words))
            for segment in hypothesis.segments
        )
        return replace(hypothesis, segments=segments, label_scope="session")

    return answer_with_labels
