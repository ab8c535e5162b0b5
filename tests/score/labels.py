"""Speaker labels as a whisper service that diarizes would give them, some of them confused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from orchestration.services.ports import Hypothesis, HypothesisWord
from orchestration.session.transcription import TranscribeOrder
from tests.score.known_meetings import KnownMeeting, Person
from tests.score.replay import Answer
from tests.scoring import normalise_text

SAME_WORD_S = 1.0
"""A word that whisper wrote is one that was said within this."""


def labelled(
    answer: Answer, meeting: KnownMeeting, confused: float, chance: random.Random
) -> Answer:
    """An engine's answers with a label for each word that somebody spoke.

    A label is the same voice all through the meeting. Where two speak, it is the label of whose
    word it is, since the louder one is both written and told apart, or of who began first;
    `confused` is the share of words that get another's.
    """
    labels = {who: f"SPEAKER_{number:02d}" for number, who in enumerate(meeting.people)}

    async def answer_with_labels(order: TranscribeOrder) -> Hypothesis:
        hypothesis = await answer(order)

        def labelled_word(word: HypothesisWord) -> HypothesisWord:
            middle_s = (word.start_ms + word.end_ms) / 2000
            at = order.chunk.start + middle_s * meeting.sample_rate
            speaking = [one.who for one in meeting.turns if one.start <= at < one.end]
            if not speaking:
                return word
            who = _who_said(meeting, word.text, at / meeting.sample_rate, speaking)
            if chance.random() < confused:
                who = chance.choice([one for one in meeting.people if one != who])
            return replace(word, label=labels[who])

        segments = tuple(
            replace(segment, words=tuple(labelled_word(word) for word in segment.words))
            for segment in hypothesis.segments
        )
        return replace(hypothesis, segments=segments, label_scope="session")

    return answer_with_labels


def _who_said(meeting: KnownMeeting, text: str, at_s: float, speaking: Sequence[Person]) -> Person:
    """Of those who speak whoever says this word there, else who began first."""
    said = [
        (abs((one.start_s + one.end_s) / 2 - at_s), one.who)
        for one in meeting.words
        if one.who in speaking and [one.text] == normalise_text(text)
    ]
    off_s, who = min(said, key=lambda one: one[0], default=(SAME_WORD_S, speaking[0]))
    return who if off_s < SAME_WORD_S else speaking[0]
