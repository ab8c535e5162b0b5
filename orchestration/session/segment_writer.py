"""From heard lines to segments on the session's timeline."""

from collections.abc import Callable, Sequence

from orchestration.json_types import JsonObject
from orchestration.session.events import pending_key, segment_json
from orchestration.session.outbox import Outbox
from orchestration.session.stream_pipeline import Heard
from orchestration.timing.clock import SessionClock
from orchestration.transcript.lines import AttributedWord, Line
from orchestration.transcript.segments import Segment, TimedWord


class SegmentWriter:
    """Numbers each stream's final segments, and tells them and what is pending."""

    def __init__(
        self,
        session_id: str,
        clock: SessionClock,
        outbox: Outbox,
        counts: dict[int, int],
        named_now: Callable[[Segment], Segment],
        on_final: Callable[[Segment], None],
    ) -> None:
        """`counts` are the final segments stored so far, by stream; `named_now` has the last word
        on whose a segment is."""
        self._session_id = session_id
        self._clock = clock
        self._outbox = outbox
        self._counts = counts
        self._named_now = named_now
        self._on_final = on_final
        self._pending: set[int] = set()

    def publish(self, stream: int, heard: Heard) -> None:
        """New final lines become durable segments; what is pending replaces the old pending."""
        for line in heard.lines:
            self.add_final(stream, line, corrected=False)
            self._pending.discard(stream)
        if heard.pending:
            self._pending.add(stream)
            pending = segment_json(self._segment(stream, heard.pending), "pending", self._zero_ms())
            self._outbox.tell_in_passing(pending_key(stream), "segment", {"segment": pending})
        elif stream in self._pending:
            self._pending.discard(stream)
            retracted: JsonObject = {"segment_id": self._next_id(stream)}
            self._outbox.tell_in_passing(pending_key(stream), "retract", retracted)

    def add_final(self, stream: int, line: Line, *, corrected: bool) -> None:
        """One final line; `corrected` when it comes after its time, by a repair."""
        segment = self._segment(stream, line.words)
        self._counts[stream] = self._counts.get(stream, 0) + 1
        body: JsonObject = {"segment": segment_json(segment, "final", self._zero_ms())}
        if corrected:
            body["corrected"] = True
        self._outbox.add_segment(segment, body)
        self._on_final(segment)

    def _segment(self, stream: int, words: Sequence[AttributedWord]) -> Segment:
        timed = tuple(
            TimedWord(
                one.word.text,
                self._clock.session_ns(stream, one.word.start_sample),
                self._clock.session_ns(stream, one.word.end_sample),
                one.word.probability,
                one.word.label,
                one.word.label_probability,
            )
            for one in words
        )
        segment = Segment(
            segment_id=self._next_id(stream),
            revision=1,
            stream=stream,
            start_ns=timed[0].start_ns,
            end_ns=max(word.end_ns for word in timed),
            speaker=words[0].speaker,
            language=words[0].language,
            words=timed,
        )
        return self._named_now(segment)

    def _next_id(self, stream: int) -> str:
        return f"{self._session_id}:{stream}:{self._counts.get(stream, 0)}"

    def _zero_ms(self) -> int:
        return self._clock.zero_unix_ms or 0
