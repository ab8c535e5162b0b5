"""A stream whose samples get their fates in any order, beside a list of what each one's is."""

from hypothesis import strategies as st

from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import LossChange, SampleRange, StreamRow
from orchestration.transcript.coverage import CoverageTotals, StreamCoverage

RATE = 16_000
LONGEST = 300

Step = tuple[str, int, int]
"""What happens to samples from one to another."""

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["extend", "extend", "transcribed", "silent", "lost a", "lost b", "repair"]
        ),
        st.integers(0, LONGEST),
        st.integers(0, LONGEST),
    ),
    max_size=8,
)
incarnations = st.lists(st.tuples(steps, st.floats(0, 1), st.booleans()), max_size=8)
"""Steps, where the frontier is on the way to what is pending, and whether the actor then dies."""


class JudgedStream:
    """Coverage under test, and each sample's fate by itself."""

    def __init__(self) -> None:
        self.coverage = StreamCoverage(RATE)
        self.fates: list[str] = []
        self._resumed_at = 0

    def take(self, step: Step) -> None:
        """Judge samples; the first verdict on one stands, but for a repair of what is lost."""
        what, one, other = step
        start, end = min(one, other), max(one, other)
        match what:
            case "extend":
                self.coverage.extend(end)
                self.fates += ["pending"] * (end - len(self.fates))
                return
            case "transcribed":
                self.coverage.transcribed(start, end)
            case "silent":
                self.coverage.silent(start, end)
            case "repair":
                self.coverage.repaired(start, end)
            case reason:
                self.coverage.lost(start, end, reason)
        for at in range(start, min(end, len(self.fates))):
            if what == "repair" and self.fates[at].startswith("lost"):
                self.fates[at] = "transcribed"
            elif what != "repair" and self.fates[at] == "pending":
                self.fates[at] = what

    def changes(self, frontier_share: float) -> SessionChanges:
        """What is new, with the frontier at so much of the way to what is pending."""
        room = self.coverage.first_pending - self._resumed_at
        frontier = self._resumed_at + int(room * frontier_share)
        return SessionChanges(
            streams=[self.coverage.progress(0, 0, frontier)],
            losses=[LossChange(0, *one) for one in self.coverage.take_loss_changes()],
        )

    def resume(self, row: StreamRow) -> None:
        """Another incarnation takes up what is stored."""
        assert row.progress is not None
        self.coverage = StreamCoverage.resumed(RATE, row.progress, row.lost)
        self._resumed_at = row.progress.frontier
        del self.fates[self._resumed_at :]

    def totals(self) -> CoverageTotals:
        """By the list."""
        reasons = {one for one in self.fates if one.startswith("lost")}
        return CoverageTotals(
            len(self.fates),
            self.fates.count("transcribed"),
            self.fates.count("silent"),
            self.fates.count("pending"),
            {reason: self.fates.count(reason) for reason in reasons},
        )

    def lost(self) -> tuple[SampleRange, ...]:
        """By the list."""
        found: list[SampleRange] = []
        for at, fate in enumerate(self.fates):
            if not fate.startswith("lost"):
                continue
            if found and (found[-1].end, found[-1].reason) == (at, fate):
                found[-1] = SampleRange(found[-1].start, at + 1, fate)
            else:
                found.append(SampleRange(at, at + 1, fate))
        return tuple(found)
