// The page: which part of it is shown, the files that are dropped, and whether the server is there.

import { bytes, h, long } from "./dom.js";
import { get } from "./api.js";
import { LibraryPage, trackPage } from "./library.js";
import { notice, Recording } from "./recording.js";
import { Uploads } from "./uploads.js";

const main = document.querySelector("#main");
const banner = document.querySelector("#gone");

// the token was shown once; the cookie does the rest, and nobody need see it in the address
if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname + location.hash);

class Listen {
  constructor(health) {
    this.health = health;
    this.node = h("div");
    this.uploads = new Uploads(health, { onOpen: (entry) => this.open(entry, true), onDone: (entry) => this.#done(entry) });
    this.choose = h("input", { type: "file", multiple: true, hidden: true, onchange: (event) => this.add(event.target) });
    this.said = h("p", { class: "said", role: "status" });
    this.place = h("div");
    this.drop = this.#drop();
    this.node.append(this.drop, this.choose, this.said, this.uploads.list, this.place);
  }

  #drop() {
    const { limits } = this.health;
    const button = h("button", { class: "button main", type: "button", onclick: () => this.choose.click() }, "Choose files");
    return h(
      "div",
      { class: "drop" },
      h("h1", {}, "Which instruments play, when, and why?"),
      h("p", {}, h("span", { class: "long" }, "Drop recordings anywhere on this page. "), h("span", { class: "hint" }, "They are heard on this server and removed at once.")),
      button,
      h("p", { class: "hint key" }, `Up to ${bytes(limits.upload_bytes)} each; of a recording, the first ${long(limits.seconds)} are heard.`),
    );
  }

  add(input) {
    this.addFiles([...input.files]);
    input.value = "";
  }

  addFiles(files) {
    if (!files.length) return;
    this.drop.classList.add("slim");
    this.fresh = true;
    this.uploads.add(files);
  }

  // the first that is ready opens itself; after that, people choose
  #done(entry) {
    this.said.textContent = `${entry.name}: ${entry.words.textContent}`;
    if (this.fresh) this.open(entry, false);
    if (this.shown === entry) this.open(entry, false);
  }

  open(entry, focus) {
    this.fresh = false;
    this.shown = entry;
    this.uploads.select(entry);
    this.recording?.destroy();
    this.recording = null;
    if (entry.state === "failed") {
      const advice = entry.job?.advice ?? null;
      this.place.replaceChildren(h("article", { class: "recording", tabindex: "-1" }, h("header", {}, h("h1", {}, entry.name), h("p", { class: "headline" }, "This file could not be heard.")), notice("Not heard.", entry.message, advice, entry.reason)));
    } else if (entry.state === "done") {
      this.recording = new Recording({ base: `/api/jobs/${entry.id}`, source: entry.source, health: this.health, name: entry.name });
      this.place.replaceChildren(this.recording.node);
    } else {
      this.place.replaceChildren(h("p", { class: "recording key" }, `${entry.name} has not been heard yet; it opens when it is.`));
    }
    if (focus) this.place.firstChild.focus();
  }

  toggle() {
    this.recording?.toggle();
  }
}

let shown = null;
let pages = {};

function route(health) {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const parameters = new URLSearchParams(query);
  const track = path.match(/^\/track\/([\w-]+)$/);
  shown?.leave?.();
  if (health.library && track) {
    shown = trackPage(track[1], health);
  } else if (health.library && path === "/library") {
    pages.library ??= new LibraryPage(health);
    shown = pages.library;
    shown.enter(parameters);
  } else {
    pages.listen ??= new Listen(health);
    shown = pages.listen;
  }
  const name = shown === pages.listen ? "listen" : "library";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren(shown.node);
  document.title = name === "library" ? "Library – timbretree" : "timbretree";
}

function dragging(health) {
  let depth = 0;
  const over = (on) => pages.listen?.drop.classList.toggle("over", on);
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragenter", (event) => files(event) && ++depth && over(true));
  document.addEventListener("dragleave", (event) => files(event) && (--depth || over(false)));
  document.addEventListener("dragover", (event) => files(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    depth = 0;
    over(false);
    if (shown !== pages.listen) {
      location.hash = "#/";
      pages.listen ??= new Listen(health);
    }
    pages.listen.addFiles([...event.dataTransfer.files]);
  });
}

function keys() {
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input, select, textarea, button, a, summary, [role=slider]");
    if (event.key !== " " || busy || event.ctrlKey || event.metaKey || event.altKey || !shown?.toggle) return;
    event.preventDefault();
    shown.toggle();
  });
}

function watch() {
  let timer = null;
  const again = () => get("/api/health").catch(() => {});
  document.addEventListener("server", ({ detail: there }) => {
    banner.hidden = there;
    clearInterval(timer);
    timer = null;
    if (there) return;
    banner.textContent = "The server does not answer. Is timbretree still running? What you see stays; this page tries again by itself.";
    timer = setInterval(again, 3000);
  });
}

async function start() {
  watch();
  let health = null;
  while (!health) {
    try {
      health = await get("/api/health");
    } catch (error) {
      if (error.code !== "gone") {
        main.replaceChildren(notice("This page can't be used.", error.message));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
  document.querySelector("[data-page=library]").hidden = !health.library;
  document.querySelector("#about").textContent = `timbretree ${health.version}, model ${health.model}. It can be wrong; where it is unsure, it says so.`;
  addEventListener("hashchange", () => route(health));
  dragging(health);
  keys();
  route(health);
}

start();
