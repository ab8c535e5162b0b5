"""A session's translations: what is asked of the service, and what its answers become."""

from collections.abc import Sequence

from orchestration.errors import EngineRefused, OrchestrationError
from orchestration.services.ports import TranslationRequest
from orchestration.session.events import TranslatedText
from orchestration.session.outbox import Outbox
from orchestration.session.translation_desk import PastPlace, TranslationDesk
from orchestration.storage.values import TranslationRow
from orchestration.transcript.segments import Segment


class Translations:
    """Answers to the desk's requests, on their way out."""

    def __init__(self, desk: TranslationDesk, outbox: Outbox) -> None:
        self.desk = desk
        self._outbox = outbox

    def answered(self, request: TranslationRequest, text: str, engine: str) -> None:
        """A translation came."""
        self._settle(request, TranslatedText(request.target, text, "final"), engine)

    @property
    def due_past(self) -> PastPlace | None:
        """Behind which stored lines those are to be read now that want a translation, if any."""
        return self.desk.due_past

    def want_past(self, place: PastPlace, lines: Sequence[tuple[Segment, str]]) -> None:
        """The next earlier lines were read, each with a language that it is not translated to."""
        self.desk.want_past(place, lines, self._outbox.translated)

    def failed(
        self,
        request: TranslationRequest,
        error: OrchestrationError,
        now_ms: int,
        *,
        session_ends: bool,
    ) -> None:
        """A try failed: again later, until it was the last one."""
        can_wait = not session_ends and not isinstance(error, EngineRefused)
        if self.desk.failed(request, now_ms, can_wait=can_wait):
            self._settle(request, TranslatedText(request.target, "", "failed"), "")

    def unsupported(self, request: TranslationRequest) -> None:
        """No engine has this pair: said once, then never asked again."""
        if self.desk.unsupported(request):
            self._outbox.alert(
                "warning",
                "unsupported_language_pair",
                f"No translation engine has {request.source} to {request.target}; "
                "the transcript goes on without it.",
            )

    def _settle(
        self, request: TranslationRequest, translation: TranslatedText, engine: str
    ) -> None:
        revision = self.desk.settle(request)
        if revision is not None:
            row = TranslationRow(request.segment_id, request.source, translation, engine)
            self._outbox.add_translation(row, revision)
