// What the page that asks for the key says, key by key and answer by answer; and what any other page
// says whose browser is not signed in any more, or whose service is away. The page's own script is
// `sign_in.js`.
//
//     node sign_in.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
const said = { textContent: "" };
let submit = null;
let answer = null;
const form = {
  elements: { key: { value: "" } },
  querySelector: () => said,
  addEventListener: (_, listener) => {
    submit = listener;
  },
};

globalThis.document = { querySelector: () => form };
globalThis.location = { reload: () => (said.textContent = "(signed in)") };
globalThis.fetch = async (path, { headers }) => {
  new Headers(headers);
  if (!answer) throw new TypeError("unreachable");
  const [status, detail] = answer;
  return { ok: status < 400, status, json: async () => ({ detail }) };
};
await import(`${folder}/sign_in.js`);

const tries = [
  ["the key", [204]],
  ["another", [401, "The service wants its key."]],
  ["ключ", [204]],
  ["the key", [429, "A client may make 5 requests a second; wait before the next."]],
  ["the key", null],
];
for (const [key, given] of tries) {
  form.elements.key.value = key;
  answer = given;
  await submit({ preventDefault() {} });
  console.log(said.textContent);
}

const { request } = await import(`${folder}/api.js`);
const ask = () => request("/api/sessions", { headers: {} });
answer = [401, "The service wants its key: Authorization: Bearer KEY."];
await ask().catch(({ message }) => console.log(message));

// An answer that breaks off, and one that never comes.
globalThis.fetch = async () => ({ ok: true, status: 200, json: async () => JSON.parse("{") });
await ask().catch(({ message }) => console.log(message));
AbortSignal.timeout = () => AbortSignal.abort();
globalThis.fetch = (path, { signal }) =>
  new Promise((_, reject) => signal.aborted && reject(signal.reason));
await ask().catch(({ message }) => console.log(message));
