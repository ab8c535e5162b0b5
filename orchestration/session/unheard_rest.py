"""Answers that stop early: small whisper models sometimes end in mid-chunk, at a pause."""

from collections.abc import Sequence
from dataclasses import replace

from orchestration.audio.chunker import Chunk
from orchestration.session.stream_audio import StreamAudio
from orchestration.transcript.words import Word

WORD_MARGIN_MS = 300
"""Speech that the gate hears this soon after a word's end may be the word's own."""

UNHEARD_SPEECH_MS = 800
"""With this much speech after its last word an answer stopped early. The rest is sent by itself, as
whisper's own window moves on."""


def unheard_rest(
    chunk: Chunk, words: Sequence[Word], audio: StreamAudio, overlap_samples: int
) -> Chunk | None:
    """The part of a chunk after its last word, when much speech is in it.

    An answer without any word is believed: what sounds like speech may be noise.
    """
    if not words:
        return None
    rest_start = max(word.end_sample for word in words)
    if rest_start - chunk.start < audio.samples(WORD_MARGIN_MS):
        # Times that an engine does not know are 0 with some: the rest would be the whole again.
        return None
    # What the next chunk hears anyway need not be sent by itself.
    rest_end = chunk.end if chunk.is_final else chunk.end - overlap_samples
    heard_from = rest_start + audio.samples(WORD_MARGIN_MS)
    if heard_from >= rest_end:
        return None
    if audio.speech_in(heard_from, rest_end) < audio.samples(UNHEARD_SPEECH_MS):
        return None
    return replace(chunk, start=rest_start)
