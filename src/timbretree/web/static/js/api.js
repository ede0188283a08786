// All talk with the server; what it refuses becomes a Trouble with words for a person.

export class Trouble extends Error {
  constructor(message, { code = "", status = 0, at = null, length = null, retry = null } = {}) {
    super(message);
    Object.assign(this, { code, status, at, length, retry });
  }
}

// taking turns is by client, and this tab is one
export const CLIENT = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
  byte.toString(16).padStart(2, "0"),
).join("");

const GONE = "The server does not answer.";

function notice(there) {
  document.dispatchEvent(new CustomEvent("server", { detail: there }));
}

function trouble(status, text, retry) {
  try {
    const { error, message, at, length } = JSON.parse(text);
    return new Trouble(message, { code: error, status, at, length, retry });
  } catch {
    return new Trouble(`The server answered ${status}.`, { status, retry });
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { "Timbretree-Client": CLIENT } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    notice(false);
    throw new Trouble(GONE, { code: "gone" });
  }
  notice(true);
  if (!answer.ok) {
    throw trouble(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  }
  return answer;
}

export async function get(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) if (each !== null && each !== "") query.append(key, each);
  }
  return (await ask(query.size ? `${path}?${query}` : path, { signal })).json();
}

export async function forget(path) {
  await ask(path, { method: "DELETE" });
}

// save what the server writes; the link's own way would save its refusals, too
export async function save(path, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await ask(path)).blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// fetch can't tell how much was sent
export function upload(file, onSent) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    request.open("POST", `/api/jobs?name=${encodeURIComponent(file.name.slice(-200))}`);
    request.setRequestHeader("Timbretree-Client", CLIENT);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => onSent(event.loaded / event.total);
    request.onload = () => {
      notice(true);
      const retry = request.getResponseHeader("Retry-After");
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(trouble(request.status, request.responseText, retry));
    };
    request.onerror = () => {
      notice(false);
      reject(new Trouble(`${GONE} Or the file has changed since it was chosen.`, { code: "gone" }));
    };
    request.onabort = () => reject(new Trouble("Given up.", { code: "aborted" }));
    request.send(file);
  });
  return { answer, abort: () => request.abort() };
}
