// One frame of audio as the ingest protocol has it.

const HEADER_BYTES = 20;
const VERSION = 1;

/** How many samples a frame of so many bytes has, header included. */
export function samplesOf(frameBytes) {
  return Math.floor((frameBytes - HEADER_BYTES) / 2);
}

/** Header and s16le samples of stream 0; `samples` are floats from -1 to 1. */
export function ingestFrame(seq, firstSample, samples) {
  const frame = new DataView(new ArrayBuffer(HEADER_BYTES + 2 * samples.length));
  frame.setUint8(0, VERSION);
  frame.setBigUint64(4, BigInt(seq));
  frame.setBigUint64(12, BigInt(firstSample));
  samples.forEach((sample, index) => {
    const bounded = Math.max(-1, Math.min(1, sample));
    frame.setInt16(HEADER_BYTES + 2 * index, Math.round(bounded * 32_767), true);
  });
  return frame.buffer;
}
