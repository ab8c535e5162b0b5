// Runs beside the audio: gathers the first channel into tenths of a second.

class Tenths extends AudioWorkletProcessor {
  #samples = new Float32Array(Math.floor(sampleRate / 10));
  #filled = 0;

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.#samples[this.#filled++] = sample;
      if (this.#filled === this.#samples.length) {
        this.port.postMessage(this.#samples.slice());
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("tenths", Tenths);
