// Prints what a screen reader is told while a transcript comes.
//
//     node announce.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
const { Announcer } = await import(`${folder}/announcer.js`);
const { Transcript } = await import(`${folder}/transcript.js`);

/** A live region as far as it is told of: what is appended is said. */
const region = {
  childNodes: [],
  replaceChildren() {
    this.childNodes = [];
  },
  append(text) {
    process.stdout.write(text);
    this.childNodes.push({ remove: () => this.childNodes.shift() });
  },
  get firstChild() {
    return this.childNodes[0];
  },
};

const ana = { id: "p-1", name: "Ana" };
const line = (id, text, rest) => ({
  segment_id: id, stream: 0, start: Number(id), end: Number(id) + 1, state: "final", text, ...rest,
});
const transcript = new Transcript();
const announcer = new Announcer(region);
transcript.apply({ type: "snapshot", session: {}, truncated: false, segments: [line("0", "Old.")] });
announcer.know(transcript.inOrder());

const messages = [
  { type: "segment", segment: line("1", "Shall we", { state: "pending" }) },
  { type: "segment", segment: line("1", "Shall we begin?", { speaker: ana }) },
  { type: "translation", segment_id: "1", language: "pt", text: "Vamos começar?", state: "final" },
  { type: "translation", segment_id: "0", language: "pt", text: "Velho.", state: "final" },
  { type: "speaker", speaker: { ...ana, name: "Ana B." }, segments: [{ segment_id: "1", revision: 2 }] },
  ...Array.from({ length: 30 }, (_, n) => ({ type: "segment", segment: line(`${n + 2}`, `Line ${n}.`) })),
];
for (const message of messages) {
  const changed = transcript.apply(message);
  if (Array.isArray(changed)) announcer.tell(changed);
}
console.log(`kept ${region.childNodes.length}`);
