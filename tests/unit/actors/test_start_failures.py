"""Why a start was given up, from tracebacks as Serve keeps them."""

import pytest

from actors.start_failures import MAX_REASON_CHARACTERS, reason_of, start_failure

GIVEN_UP = RuntimeError("Failed to update the deployments ['EmbeddedWhisperEngine'].")
KEPT = """The deployment failed to start 3 times in a row. This may be due to a problem with its \
constructor or initial health check failing. See controller logs for details. Error:
\x1b[36mray::ServeReplica:orchestration:Engine.initialize_and_get_metadata()\x1b[39m (pid=23, \
ip=127.0.0.1, repr=<ray.serve._private.replica.ServeReplica:orchestration:Engine object at 0x7f>)
  File "/lib/python3.11/concurrent/futures/_base.py", line 401, in __get_result
    raise self._exception
RuntimeError: Traceback (most recent call last):
  File "/orchestration/services/embedded_whisper.py", line 164, in _load
    return WhisperModel(
           ^^^^^^^^^^^^^
RuntimeError: File model.bin is incomplete: failed to read a value of size 4 at position 0

The above exception was the direct cause of the following exception:

  File "/orchestration/services/embedded_whisper.py", line 179, in _load
    raise ModelMissing(
"""
OWN = KEPT + "orchestration.errors.ModelMissing: The whisper model cannot be loaded: get another.\n"


def test_the_services_own_error_is_told_as_its_sentence() -> None:
    told = start_failure(GIVEN_UP, {"EmbeddedWhisperEngine": OWN})
    assert told == (
        "The deployments did not start. "
        "EmbeddedWhisperEngine: The whisper model cannot be loaded: get another."
    )


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("ImportError: libcudnn.so.9: no such file\n", "ImportError: libcudnn.so.9: no such file"),
        ("av.error.FFmpegError: broken", "FFmpegError: broken"),
        (
            "orchestration.errors.ConfigurationError: Setting a.b: too high.\nSetting c: unknown.",
            "Setting a.b: too high.\nSetting c: unknown.",
        ),
    ],
)
def test_other_errors_are_told_by_name_and_whole(last: str, reason: str) -> None:
    assert reason_of(KEPT + last) == reason


def test_without_a_traceback_serves_own_word_is_told() -> None:
    for kept in ({}, {"Engine": ""}, {"Engine": "It is slow to start."}):
        assert start_failure(GIVEN_UP, kept) == f"The deployments did not start: {GIVEN_UP}"


def test_a_reason_without_end_is_cut() -> None:
    assert len(reason_of("ValueError: " + "x" * 10_000)) == MAX_REASON_CHARACTERS
