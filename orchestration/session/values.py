"""What governs a session: plain values, without pydantic, because every session actor holds them.

`orchestration.config` builds them from settings; docs/operations.md lists the same names.
"""

from dataclasses import dataclass, replace

from orchestration.audio.presets import Stage, resolve_stages
from orchestration.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class ChunkingValues:
    """How a stream is cut; see ChunkingSettings for the meaning of each."""

    chunk_ms: int = 4000
    overlap_ms: int = 2000
    guard_ms: int = 800
    pause_search_ms: int = 600
    max_chunk_ms: int = 28_000
    end_of_speech_ms: int = 600
    early_end_ms: int = 400
    speech_margin_ms: int = 300
    voice_mode: int = 2

    @property
    def fault(self) -> str | None:
        """Why these lengths do not fit each other; None if they do."""
        if self.chunk_ms - self.overlap_ms < 500:
            return "overlap_ms must be below chunk_ms by at least 500"
        if self.overlap_ms and self.overlap_ms - self.guard_ms < 1000:
            return "overlap_ms must exceed guard_ms by at least 1000"
        if self.max_chunk_ms < self.chunk_ms:
            return "max_chunk_ms must not be below chunk_ms"
        return None


@dataclass(frozen=True, slots=True)
class SessionValues:
    """Limits and cadences of one session."""

    chunking: ChunkingValues = ChunkingValues()
    window_frames: int = 600
    """Unacked frames a sender may have under way per stream."""
    max_streams: int = 64
    max_participants: int = 1000
    """Participants remembered; facts about further ones are journaled but name no words."""
    abandoned_after_ms: int = 300_000
    """Without a sender for this long the session ends by itself."""
    buffer_ms: int = 60_000
    """Audio held in memory per stream; older audio is read back from the journal when needed."""
    stall_after_ms: int = 3_000
    """A connected sender whose stream brings nothing for this long has stopped sending silence:
    the utterance is over, and its last words need not wait for the next."""
    force_commit_after_ms: int = 12_000
    """Words heard become final this long after the stream's last answer, whether or not a later
    chunk could still change them: audio that stops in the middle of speech, or a whisper outage,
    would otherwise hold them back without end."""
    refused_attempts: int = 3
    """Tries of a chunk that whisper services refuse; then its audio is lost as `engine_refused`."""
    outage_patience_ms: int = 3_600_000
    """How long a chunk is tried again while no whisper service answers usefully; then its audio is
    lost under the error's code, and may be repaired when the services are back."""
    retry_ms: int = 500
    """Wait before the second try; doubles up to `retry_max_ms`."""
    retry_max_ms: int = 5_000
    delayed_after_ms: int = 20_000
    """Unheard audio of this length makes the session `delayed`."""
    recovered_below_ms: int = 8_000
    """Less unheard audio than this makes it `active` again."""
    translation_attempts: int = 3
    """Tries of one translation that is refused, or that the session's end waits for; then it is
    failed."""
    translation_patience_ms: int = 120_000
    """How long a translation is tried again while no service translates it; then it is failed."""
    prompt_characters: int = 0
    """Text said just before that whisper is given with a chunk. Small models repeat or continue
    it instead of listening; large ones punctuate better with it."""
    live_events: int = 1000
    """Durable events held in memory for viewers; older ones are read from the database."""
    passing_interval_ms: int = 1000
    """Coverage, level and lag are said at most this often."""
    recordings_dir: str | None = None
    """Where the session's audio is kept; without, it goes when its words are final."""
    recording_file_ms: int = 60_000
    """Audio in one file of a recording."""
    loopback_names: tuple[str, ...] = ()
    """A test rig's fixed names: of an upstream's labels in their order, or of streams by number."""
    stages: tuple[Stage, ...] = ()
    """What audio passes before whisper hears it."""

    def with_overrides(self, settings: JsonObject) -> "SessionValues":
        """The values of one session; its own `settings` were checked when it was created."""
        chunking = {name: value for name, value in settings.items() if isinstance(value, int)}
        stages = resolve_stages(settings["audio"]) if "audio" in settings else self.stages
        return replace(self, chunking=replace(self.chunking, **chunking), stages=stages)
