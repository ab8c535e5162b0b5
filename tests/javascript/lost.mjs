// Prints the stretches of a meeting that the page says were lost, after each message.
//
//     node lost.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
const { Transcript } = await import(`${folder}/transcript.js`);

const transcript = new Transcript();
const print = () => {
  console.log(transcript.lost().map(({ start, end }) => `${start}-${end}`).join(" ") || "-");
};
const gap = (stream, start, end, reason = "engine_error") => ({
  type: "gap", stream, start, end, reason,
});
const line = (start, end) => ({
  type: "segment", corrected: true,
  segment: { segment_id: `${start}`, stream: 0, start, end, state: "final", text: "Hello." },
});

transcript.apply({ type: "snapshot", session: {}, truncated: false, segments: [] });
transcript.takeCoverage({ streams: [], gaps: [gap(0, 10, 20)] });
print();
// What follows on is one with it, as is what another stream lost meanwhile; a moment is not told.
for (const message of [gap(0, 20, 28), gap(1, 15, 30), gap(0, 50, 50.5), gap(0, 60, 62)]) {
  transcript.apply(message);
}
print();
// The answer was under way while another stretch was lost.
transcript.takeCoverage({ streams: [], gaps: [gap(0, 10, 28), gap(1, 15, 30)] });
print();
// Heard after all.
transcript.apply(line(9, 14));
transcript.apply(line(60.5, 62));
print();
transcript.apply({ type: "snapshot", session: {}, truncated: false, segments: [] });
print();
// A bot may leave out silence.
transcript.apply(gap(0, 1, 6, "capture_skipped"));
transcript.apply(gap(0, 100, 130, "capture_skipped"));
print();
transcript.apply({ type: "snapshot", session: {}, truncated: false, segments: [] });
transcript.apply(gap(0, 10, 20));
transcript.apply({ type: "status", status: "completed" });
transcript.takeCoverage({ streams: [], gaps: [] });
print();
