// The microphone's worklet, given 0.25 s of samples in blocks as browsers do; prints the lengths of
// what it gives on.
//
//     node tenths.mjs FOLDER_OF_THE_PAGE URL SESSION_ID

const [folder] = process.argv.slice(2);
const BLOCK_SAMPLES = 125;
let Tenths = null;

globalThis.sampleRate = 16_000;
globalThis.AudioWorkletProcessor = class {
  port = { postMessage: (samples) => console.log(samples === null ? "over" : samples.length) };
};
globalThis.registerProcessor = (_, made) => {
  Tenths = made;
};
await import(`${folder}/microphone_worklet.js`);

const tenths = new Tenths();
for (let samples = 0; samples < 4000; samples += BLOCK_SAMPLES) {
  tenths.process([[new Float32Array(BLOCK_SAMPLES)]]);
}
tenths.port.onmessage({ data: "finish" });
console.log(tenths.process([[]]));
