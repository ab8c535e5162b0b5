// What is shown as pending while a transcript comes; prints it, and what is final where nothing is.
//
//     node pending.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
const { Transcript } = await import(`${folder}/transcript.js`);
const transcript = new Transcript();
const segment = (id, state, text) => ({
  type: "segment", segment: { segment_id: id, stream: 0, start: 1, end: 2, state, text },
});
const messages = [
  { type: "snapshot", session: {}, truncated: false, segments: [] },
  segment("0", "pending", "Shall we"),
  { type: "resumed", after: 0, seq: 0 },
  segment("0", "final", "Shall we begin?"),
  segment("0", "pending", "Shall we"),
  segment("1", "pending", "I think"),
  { type: "retract", segment_id: "1" },
  segment("1", "pending", "I thought"),
  { type: "status", status: "completed", detail: null },
];
let before = "";
for (const message of messages) {
  transcript.apply(message);
  const pending = transcript.pendingInOrder().map(({ text }) => text);
  const finals = transcript.inOrder().map(({ text }) => text);
  const shown = pending.length ? pending.join(" ") : ["-", ...finals].join(" ");
  if (message.type !== "snapshot" && shown !== before) console.log(shown);
  before = shown;
}
