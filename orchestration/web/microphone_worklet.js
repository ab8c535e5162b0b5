// Runs beside the audio: gathers the first channel into tenths of a second. Any message asks for
// the last ones, which are fewer; null comes behind them, and nothing more.

class Tenths extends AudioWorkletProcessor {
  #samples = new Float32Array(Math.floor(sampleRate / 10));
  #filled = 0;
  #isOver = false;

  constructor() {
    super();
    this.port.onmessage = () => {
      if (this.#filled) this.#post();
      this.port.postMessage(null);
      this.#isOver = true;
    };
  }

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.#samples[this.#filled++] = sample;
      if (this.#filled === this.#samples.length) this.#post();
    }
    return !this.#isOver;
  }

  #post() {
    this.port.postMessage(this.#samples.slice(0, this.#filled));
    this.#filled = 0;
  }
}

registerProcessor("tenths", Tenths);
