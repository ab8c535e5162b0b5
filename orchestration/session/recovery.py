"""A session that is taken up again: what its journal holds beyond the frontier is heard anew."""

import time

from orchestration.process_clock import monotonic_ms
from orchestration.session.fact_codec import parse_fact
from orchestration.session.ingest_ledger import REMEMBERED_HASHES
from orchestration.session.session import Session
from orchestration.storage.journal_ports import SessionJournal


async def recover(session: Session, journal: SessionJournal) -> None:
    """Facts first, then each stream's frames; the session goes on from there."""
    now_unix_ns = time.time_ns()
    async for fact in journal.facts(session.session_id):
        session.replay_fact(parse_fact(fact.body))
    hashes = await journal.recent_hashes(session.session_id, REMEMBERED_HASHES)
    for (stream, seq), digest in sorted(hashes.items()):
        session.ledgers[stream].hashes[seq] = digest
    for stream, pipeline in session.pipelines.items():
        heard_from = pipeline.needed_from
        async for frame in journal.frames_from(session.session_id, stream, heard_from):
            session.replay_frame(frame, now_unix_ns)
    session.replayed(monotonic_ms())
