"""What a schema cannot say, for schemathesis: that a file is one of audio."""

import base64
import io

import numpy as np
import schemathesis
import soundfile
from hypothesis import strategies as st


def _wav() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(1600, np.int16), 16_000, format="WAV", subtype="PCM_16")
    # A multiple of 8 bytes, so that it is whole samples of every PCM format too.
    return file.getvalue() + bytes(-len(file.getvalue()) % 8)


WAV = _wav()

schemathesis.openapi.format("binary", st.just(WAV))
schemathesis.openapi.format(
    "byte", st.integers(1, 200).map(lambda count: base64.b64encode(bytes(8 * count)).decode())
)
