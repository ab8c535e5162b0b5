"""ZIP archives that are sent while they are made."""

import hashlib
import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from orchestration.api.zip_stream import ZipStream


@given(
    st.lists(st.tuples(st.lists(st.binary(max_size=2000), max_size=4), st.booleans()), max_size=4)
)
def test_every_file_is_read_back_with_its_hash(files: list[tuple[list[bytes], bool]]) -> None:
    stream, sent = ZipStream(), []
    for number, (pieces, compress) in enumerate(files):
        stream.begin(f"folder/{number}.bin", compress=compress)
        for piece in pieces:
            stream.write(piece)
            sent.append(stream.take())
        stream.end()
    stream.close()
    sent.append(stream.take())
    with zipfile.ZipFile(io.BytesIO(b"".join(sent))) as whole:
        assert whole.testzip() is None
        contents = [whole.read(name) for name in whole.namelist()]
    assert contents == [b"".join(pieces) for pieces, _ in files]
    assert [one.sha256 for one in stream.files] == [hashlib.sha256(c).hexdigest() for c in contents]
    assert [one.size for one in stream.files] == [len(content) for content in contents]


def test_nothing_that_was_taken_is_kept() -> None:
    stream = ZipStream()
    stream.begin("large.bin", compress=False)
    for _ in range(64):
        stream.write(bytes(65_536))
        assert len(stream.take()) < 70_000
    assert stream.take() == b""
