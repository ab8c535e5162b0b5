"""The service's HTTP API for Python programs.

Every method raises ServiceUnreachable when nothing answers, and otherwise the error that the
service names in its problem body (UnknownSession, NotAuthenticated, SessionConflict, ...).
"""

from orchestration.client.audio_calls import AudioCalls
from orchestration.client.gateway_calls import GatewayCalls
from orchestration.client.service_calls import ServiceCalls
from orchestration.client.session_calls import SessionCalls
from orchestration.client.settings_calls import SettingsCalls
from orchestration.client.speaker_calls import SpeakerCalls
from orchestration.client.stored_data import StoredDataCalls
from orchestration.client.upload_calls import UploadCalls


class OrchestrationClient(
    SessionCalls,
    SpeakerCalls,
    StoredDataCalls,
    AudioCalls,
    UploadCalls,
    SettingsCalls,
    ServiceCalls,
    GatewayCalls,
):
    """A service at `base_url`, as in `http://127.0.0.1:3000`; use as an async context manager."""
