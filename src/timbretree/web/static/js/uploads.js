// Files on their way: sent one after the other, followed together, each with a row of its own.

import { bytes, clock, h } from "./dom.js";
import { forget, get, Trouble, upload } from "./api.js";

const EVERY = 400; // ms between two questions how far the jobs are
const FOLLOWED = 50;

export class Uploads {
  // onDone(entry) is called with each recording that was heard, or could not be
  constructor(health, { onOpen, onDone }) {
    Object.assign(this, { health, onOpen, onDone });
    this.entries = [];
    this.sending = false;
    this.list = h("ul", { class: "files", "aria-label": "Your files", hidden: true });
  }

  add(files) {
    for (const file of files) {
      const entry = new Entry(file, this);
      this.entries.unshift(entry);
      this.list.prepend(entry.row);
      const most = this.health.limits.upload_bytes;
      if (file.size > most) {
        entry.fail(`The file has ${bytes(file.size)}; at most ${bytes(most)} are taken. Save it as flac or mp3, or cut it into parts.`, "too_large");
      } else if (!file.size) {
        entry.fail("The file holds no bytes. Take it from where it came from again.", "empty");
      }
    }
    this.list.hidden = !this.entries.length;
    this.#send();
  }

  select(entry) {
    for (const each of this.entries) each.button.setAttribute("aria-pressed", each === entry);
  }

  remove(entry) {
    entry.abort?.();
    if (entry.id) forget(`/api/jobs/${entry.id}`).catch(() => {});
    this.entries = this.entries.filter((each) => each !== entry);
    entry.row.remove();
    entry.url && URL.revokeObjectURL(entry.url);
    this.list.hidden = !this.entries.length;
  }

  async #send() {
    if (this.sending) return;
    this.sending = true;
    for (;;) {
      const entry = this.entries.findLast((each) => each.state === "ready");
      if (!entry) break;
      try {
        await entry.send();
      } catch (error) {
        const again = error.status === 429;
        if (!again) entry.fail(error.message, error.code, error.code === "gone");
        else await entry.waitToSend(error);
      }
      this.#follow();
    }
    this.sending = false;
  }

  async #follow() {
    if (this.following) return;
    this.following = true;
    for (;;) {
      const open = this.entries.filter((each) => each.id && each.state === "there");
      if (!open.length) break;
      const asked = open.slice(-FOLLOWED);
      try {
        const { jobs } = await get("/api/jobs", { id: asked.map((each) => each.id) });
        const known = new Map(jobs.map((job) => [job.id, job]));
        for (const entry of asked) {
          if (known.has(entry.id)) entry.tell(known.get(entry.id));
          else entry.fail("The server does not know this file any more. Send it again.", "no_such_job", true);
        }
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        await pause(3 * EVERY);
      }
      await pause(EVERY);
    }
    this.following = false;
  }

  retry(entry) {
    entry.reset();
    this.#send();
  }
}

class Entry {
  constructor(file, all) {
    Object.assign(this, { file, all, name: file.name });
    this.words = h("span", { class: "state" });
    this.fill = h("i");
    this.meter = h("span", { class: "meter", "aria-hidden": "true" }, this.fill);
    this.button = h(
      "button",
      { class: "open", type: "button", "aria-pressed": "false", onclick: () => this.all.onOpen(this) },
      h("span", { class: "name" }, file.name),
      this.words,
      this.meter,
    );
    this.again = h("button", { class: "button small", type: "button", hidden: true, onclick: () => this.all.retry(this) }, "Send again");
    const drop = h("button", { class: "button small", type: "button", "aria-label": `Remove ${file.name}`, onclick: () => this.all.remove(this) }, "✕");
    this.row = h("li", { class: "file" }, this.button, h("span", {}, this.again, " ", drop));
    this.reset();
  }

  get source() {
    this.url ??= URL.createObjectURL(this.file);
    return { url: this.url, blob: this.file };
  }

  reset() {
    Object.assign(this, { state: "ready", id: null, job: null, abort: null });
    this.row.classList.remove("bad");
    this.again.hidden = true;
    this.#show("waits to be sent", 0);
  }

  async send() {
    this.state = "sending";
    this.#show("sending", 0);
    const { answer, abort } = upload(this.file, (share) => this.#show(`sending, ${Math.round(100 * share)}%`, share));
    this.abort = abort;
    const job = await answer;
    Object.assign(this, { id: job.id, state: "there", abort: null });
    this.tell(job);
  }

  async waitToSend(error) {
    let left = Math.max(1, Number(error.retry) || 5);
    for (this.state = "held"; left > 0 && this.state === "held"; left--) {
      this.#show(`${error.message.split(";")[0]}; tried again in ${left} s`, null);
      await pause(1000);
    }
    this.state = "ready";
  }

  tell(job) {
    this.job = job;
    if (job.state === "waiting") {
      this.#show(job.place === 1 ? "next in the queue" : `in the queue, ${job.place - 1} before it`, null);
    } else if (job.state === "hearing") {
      const whole = this.seconds;
      const known = whole && job.heard <= whole + 1;
      this.#show(`hearing, ${clock(job.heard)}${known ? ` of ${clock(whole)}` : ""}`, known ? job.heard / whole : null);
      this.#measure();
    } else if (job.status === "failed") {
      this.fail(`${capital(job.message ?? "it could not be heard")}.`, job.reason);
    } else {
      this.state = "done";
      this.#show(job.status === "partial" ? "heard in part" : job.reason === "silent" ? "silent" : "heard", 1);
      this.all.onDone(this);
    }
  }

  fail(message, reason, again = false) {
    Object.assign(this, { state: "failed", message, reason });
    this.row.classList.add("bad");
    this.again.hidden = !again;
    this.#show(message, 0);
    this.all.onDone(this);
  }

  // how long the browser thinks the recording is, to say how much of it was heard
  #measure() {
    if (this.seconds !== undefined) return;
    this.seconds = null;
    const probe = document.createElement("audio");
    probe.preload = "metadata";
    probe.onloadedmetadata = () => Number.isFinite(probe.duration) && (this.seconds = probe.duration);
    probe.src = this.source.url;
  }

  #show(words, share) {
    this.words.textContent = words;
    this.meter.classList.toggle("unknown", share === null);
    this.meter.hidden = this.state === "failed" || this.state === "done";
    this.fill.style.width = share === null ? "" : `${Math.round(100 * share)}%`;
  }
}

function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function pause(time) {
  return new Promise((resolve) => setTimeout(resolve, time));
}
