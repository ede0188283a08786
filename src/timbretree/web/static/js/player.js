// The sound and its waveform: wavesurfer.js around the browser's own player.

import WaveSurfer from "/vendor/wavesurfer.esm.js";
import { clock, h } from "./dom.js";

const LONGEST_WAVE = 40 * 60; // seconds: decoding all of it for a picture takes memory
const LARGEST_WAVE = 200 * 2 ** 20;
export const PLAY = '<svg viewBox="0 0 44 44" aria-hidden="true"><path d="M17 13l15 9-15 9z" fill="currentColor"/></svg>';
export const PAUSE = '<svg viewBox="0 0 44 44" aria-hidden="true"><path d="M15 13h5v18h-5zM24 13h5v18h-5z" fill="currentColor"/></svg>';

export class Player {
  // source: {url, blob} of an upload, {url} of a track of the library, or null
  constructor(source, seconds, name) {
    Object.assign(this, { source, seconds, time: 0, playable: false });
    this.listeners = new Set();
    this.button = h("button", { class: "play", type: "button", disabled: true, onclick: () => this.toggle() });
    this.clock = h("div", { class: "time" });
    this.note = h("p", { class: "note" });
    this.wave = h("div", { class: "wave", "aria-hidden": "true" }, this.note);
    this.node = h("div", { class: "line" }, h("div", { class: "controls" }, this.button, this.clock), this.wave);
    this.name = name;
    this.#draw();
  }

  async start() {
    const colour = (variable) => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
    const colours = () => ({ waveColor: colour("--edge"), progressColor: colour("--full"), cursorColor: "transparent" });
    const media = document.createElement("audio");
    media.preload = "auto";
    this.surfer = WaveSurfer.create({ container: this.wave, height: 80, media, hideScrollbar: true, normalize: true, ...colours() });
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.surfer?.setOptions(colours());
    this.scheme.addEventListener("change", this.recolour);
    media.addEventListener("timeupdate", () => this.#moved(media.currentTime));
    media.addEventListener("play", () => this.#run());
    for (const event of ["pause", "ended"]) media.addEventListener(event, () => this.#draw());
    media.addEventListener("canplay", () => this.#ready());
    media.addEventListener("error", () => this.#mute());
    this.media = media;
    this.surfer.on("interaction", (time) => this.seek(time));
    this.surfer.on("error", () => {}); // told by the media element, or only the picture is missing
    await this.#load();
  }

  async #load() {
    if (!this.source) return this.#mute();
    const plain = [[new Float32Array([0, 0])], this.seconds];
    const long = this.seconds > LONGEST_WAVE || this.source.blob?.size > LARGEST_WAVE;
    if (long) this.note.textContent = "the waveform of so long a recording is not drawn";
    try {
      await this.surfer.load(this.source.url, ...(long ? plain : []));
    } catch {
      if (!this.surfer || this.media.error) return;
      this.note.textContent = "this browser can't draw the waveform of this format";
      await this.surfer.load(this.source.url, ...plain).catch(() => {});
    }
  }

  #ready() {
    this.playable = true;
    this.button.disabled = false;
    this.#draw();
  }

  #mute() {
    this.playable = false;
    this.button.disabled = true;
    this.note.textContent = "this browser can't play this format; what was heard is shown all the same";
    this.#draw();
  }

  get playing() {
    return Boolean(this.media && !this.media.paused && !this.media.ended);
  }

  toggle() {
    if (!this.playable) return;
    if (this.playing) this.media.pause();
    else this.media.play().catch(() => this.#mute());
  }

  seek(time) {
    const to = Math.min(Math.max(0, time), this.seconds);
    if (this.media) this.media.currentTime = to;
    this.#moved(to);
  }

  playFrom(time) {
    this.seek(time);
    if (this.playable && !this.playing) this.media.play().catch(() => this.#mute());
  }

  // a frame at a time while it plays: timeupdate comes four times a second only
  #run() {
    this.#draw();
    const step = () => {
      if (!this.playing) return;
      this.#moved(this.media.currentTime);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #moved(time) {
    this.time = time;
    this.clock.firstChild.textContent = clock(time);
    for (const listener of this.listeners) listener(time);
  }

  #draw() {
    this.button.innerHTML = this.playing ? PAUSE : PLAY;
    this.button.setAttribute("aria-label", `${this.playing ? "Pause" : "Play"} ${this.name}`);
    this.clock.replaceChildren(document.createTextNode(clock(this.time)), h("span", {}, `of ${clock(this.seconds)}`));
  }

  destroy() {
    this.scheme?.removeEventListener("change", this.recolour);
    this.media?.pause();
    this.surfer?.destroy();
    this.surfer = null;
    this.listeners.clear();
  }
}
