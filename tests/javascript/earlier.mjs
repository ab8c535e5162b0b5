// A long meeting's lines, whose first ones come later than what changes them; prints them.
//
//     node earlier.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
const { Transcript } = await import(`${folder}/transcript.js`);

const person = (name) => ({ id: "p-1", name });
const line = (id, speaker, rest) => ({
  segment_id: id, revision: 1, stream: 0, start: Number(id), end: Number(id) + 1, state: "final",
  text: `Line ${id}.`, speaker, translations: {}, ...rest,
});
const transcript = new Transcript();
const session = { status: "failed", status_detail: "the disk is full" };
const segments = [line("3", person("Ana"))];
transcript.apply({ type: "snapshot", session, truncated: true, segments });

const named = (name, revision, ...ids) => ({
  type: "speaker", speaker: person(name),
  segments: ids.map((id) => ({ segment_id: id, revision })),
});
// Of the lines that are not here yet: one gets a name, one got a later one before it was read, and
// one a translation.
const shown = [
  transcript.apply(named("Ana B.", 2, "0", "1", "3")),
  transcript.apply({ type: "translation", segment_id: "2", language: "pt", text: "Linha.", state: "final" }),
].flat();
console.log(shown.map((one) => one.segment_id).join(" "));
transcript.addEarlier([
  line("0", person("Ana")),
  line("1", person("Ana C."), { revision: 3 }),
  line("2", null, { translations: { es: { text: "Línea.", state: "final" } } }),
  line("3", person("Ana")),
]);
for (const { speaker, text, translations } of transcript.inOrder()) {
  const translated = Object.values(translations).map((one) => one.text);
  console.log([speaker?.name ?? "Unknown", text, ...translated].join(" "));
}
console.log(transcript.detail);
