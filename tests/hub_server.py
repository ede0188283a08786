"""A hub on loopback: as much of one as pushing and pulling a model file needs."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "a-token"


class Hub(ThreadingHTTPServer):
    """``repositories`` holds the files of each; ``stored`` what was sent by its digest."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.stored: dict[str, bytes] = {}
        self.messages: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Visit(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.say(401, {"error": "who are you?"})
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            self.server.repositories.setdefault(name, {})
            return self.say(200, {"url": f"{self.server.address}/{name}", "id": name})
        if path == "/api/validate-yaml":
            head = yaml.safe_load(json.loads(body)["content"].split("---\n")[1])
            wrong = [] if isinstance(head, dict) and "license" in head else ["no licence"]
            return self.say(200, {"errors": [{"message": each} for each in wrong], "warnings": []})
        if path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            modes = {True: "regular", False: "lfs"}
            return self.say(200, {"files": [
                {"path": each["path"], "shouldIgnore": False, "oid": None,
                 "uploadMode": modes[each["path"].endswith(".md")]} for each in files
            ]})  # fmt: skip
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            place = f"{self.server.address}/put/"
            wanted = [
                {**each, "actions": {"upload": {"href": place + each["oid"]}}} for each in objects
            ]
            return self.say(200, {"transfer": "basic", "objects": wanted})
        if path.endswith("/commit/main"):
            return self.commit(path.split("/api/models/")[1].rsplit("/commit/")[0], body)
        return self.say(404, {"error": "no such thing"})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        digest = self.path.rsplit("/", 1)[1]
        assert hashlib.sha256(content).hexdigest() == digest
        self.server.stored[digest] = content
        self.say(200, {})

    def commit(self, name: str, body: bytes) -> None:
        files = self.server.repositories[name]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.server.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.stored[value["oid"]]
        sha = "c" * 40
        self.say(200, {
            "commitUrl": f"{self.server.address}/{name}/commit/{sha}", "commitOid": sha,
            "success": True, "hookOutput": "",
        })  # fmt: skip

    def do_HEAD(self) -> None:
        self.resolve(body=False)

    def do_GET(self) -> None:
        self.resolve(body=True)

    def resolve(self, *, body: bool) -> None:
        name, _, rest = unquote(urlsplit(self.path).path)[1:].partition("/resolve/")
        revision, _, file = rest.partition("/")
        if name not in self.server.repositories:
            return self.say(404, {}, {"X-Error-Code": "RepoNotFound"})
        if revision != "main":
            return self.say(404, {}, {"X-Error-Code": "RevisionNotFound"})
        if file not in self.server.repositories[name]:
            return self.say(404, {}, {"X-Error-Code": "EntryNotFound"})
        content = self.server.repositories[name][file]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "c" * 40)
        self.end_headers()
        if body:
            self.wfile.write(content)
        return None

    def say(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub while the block runs."""
    with Hub() as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()
