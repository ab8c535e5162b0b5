"""A meeting whose settings change all the time, by changes of which some are refused."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestration.audio.pcm import resample_for_engine
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.config.session_values import session_values
from orchestration.config.versions import SettingsBook
from orchestration.errors import SettingsRefused
from orchestration.session.values import ChunkingValues, SessionValues
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_hearing import CodedHearing
from tests.chaos.figures import compare_words
from tests.chaos.settings_changes import draw_patch
from tests.unit.session.meeting import FRAME, RATE, Meeting, silence, speech, words

CHANGES = 100
MEETING_MS = 150_000


class ChangingMeeting:
    """A meeting of coded words, heard as they are, under settings that change."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._hearing = CodedHearing(seed, fragments="garbled")
        self.book = SettingsBook(Layers.of(Settings(data_dir=Path("/data"))))
        self.said = coded_meeting(self._rng, MEETING_MS, utterance_words=(8, 60))
        self.meeting = Meeting.begun(values=session_values(self.book.settings))
        self.accepted = self.refused = 0

    def play(self) -> None:
        pcm = self.said.samples.astype("<i2").tobytes()
        frames = [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm), 2 * FRAME)]
        changing = set(self._rng.sample(range(len(frames)), CHANGES))
        for number, frame in enumerate(frames):
            if number in changing:
                self._change()
            self.meeting.play(frame)
            if number % 10 == 0:
                self.meeting.wait(0)
            if self._rng.random() < 0.4:
                self._answer()
        self.meeting.end()
        while self.meeting.orders:
            self._answer()

    def _change(self) -> None:
        try:
            proposal = self.book.patched(draw_patch(self._rng))
        except SettingsRefused:
            self.refused += 1
            return
        self.accepted += 1
        self.book.take(proposal)
        self.meeting.session.apply(session_values(self.book.settings))

    def _answer(self) -> None:
        if self.meeting.orders:
            chunk = self.meeting.orders[0].chunk
            samples = self.meeting.session.pipelines[0].audio_of(chunk)
            assert samples is not None
            audio = np.frombuffer(resample_for_engine(samples, RATE), "<i2")
            self.meeting.answer(self._hearing.hypothesis(audio))

    @property
    def written(self) -> list[str]:
        segments = [one for step in self.meeting.steps for one in step.changes.segments]
        return [word.text for segment in segments for word in segment.words]


@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_changes_in_a_running_meeting_cost_no_word(seed: int) -> None:
    changing = ChangingMeeting(seed)
    changing.play()

    assert min(changing.accepted, changing.refused) >= 20
    said = [word.word_id for word in changing.said.words]
    assert compare_words(said, changing.written).is_right
    duration, transcribed, silent, pending, lost = changing.meeting.fates()
    assert (pending, lost) == (0, 0)
    assert transcribed + silent == duration == len(changing.said.samples)
    assert changing.meeting.status() == "completed"


def values(**chunking: Any) -> SessionValues:
    return SessionValues(chunking=ChunkingValues(**chunking))


def test_a_chunk_under_way_is_judged_by_the_settings_it_was_cut_by() -> None:
    meeting = Meeting.begun(values=values(chunk_ms=4000, overlap_ms=2000, guard_ms=800))
    meeting.play(speech(42))
    first = meeting.orders[0].chunk
    meeting.session.apply(values(chunk_ms=9000, overlap_ms=5000, guard_ms=3500))

    meeting.answer(words(("early", 500, 900), ("late", 2600, 3000), ("edge", 3700, 3900)))

    assert meeting.session.pipelines[0].has_open_words
    meeting.play(speech(100))
    second = meeting.orders[0].chunk
    assert second.start == first.end - 2 * RATE
    assert second.end - second.start >= 9 * RATE


def test_all_values_of_a_change_hold_from_one_moment_on() -> None:
    meeting = Meeting.begun(values=replace(values(), abandoned_after_ms=10_000))
    meeting.session.disconnected(0)
    meeting.wait(5000)
    assert not meeting.session.must_abandon(meeting.now_ms)

    changed = replace(values(), abandoned_after_ms=4000, window_frames=17)
    meeting.session.apply(changed)

    assert meeting.session.must_abandon(meeting.now_ms)
    assert meeting.session.window == 17


def test_settings_that_change_while_nobody_speaks_hold_for_the_next_utterance() -> None:
    meeting = Meeting.begun()
    meeting.play(silence(20))
    meeting.session.apply(values(chunk_ms=1500, overlap_ms=0, max_chunk_ms=1500))
    meeting.play(speech(21))
    assert meeting.orders[0].chunk.end - meeting.orders[0].chunk.start == 1500 * RATE // 1000
