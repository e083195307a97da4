"""A class on one server: ``python tests/benchmarks/hub.py 1 5 10``. Run by hand.

Starts a real JupyterHub with ``assets/jupyterhub/jupyterhub_config.py`` on this machine (only authenticator and spawner are replaced, by
ones that need no accounts), logs in N students through its login page, opens notebook 02 for each and runs it from top to bottom in a
kernel of their own, all at the same time. Needs ``pip install jupyterhub jupyterhub-idle-culler`` and ``npm install
configurable-http-proxy`` (on the path, or its place in PROXY).

Prints, for each N: failures (cells with an error, or students who did not get to the end), the median time from login to the first cell's
output and to the last one's, and the memory of a student: the growth of the sum of proportional set sizes (PSS, where a
page that several share counts for each with its part) of server and kernel, per student.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
from tornado.websocket import websocket_connect

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
import os
load_subconfig({config!r})
from jupyterhub.spawner import SimpleLocalProcessSpawner
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.SimpleLocalProcessSpawner.home_dir_template = {home!r} + "/{{username}}"
c.Spawner.notebook_dir = {home!r} + "/{{username}}"
c.Spawner.environment["PYTHONPATH"] = {root!r}
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.port = {port}
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret_file = {home!r} + "/secret"
c.JupyterHub.log_level = "WARN"
if os.getuid() == 0:
    c.Spawner.args.append("--allow-root")
"""


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def memory(process: int) -> float:
    """The proportional set size of a process and all that it started, in MB."""
    total, waiting = 0.0, [process]
    while waiting:
        pid = waiting.pop()
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1000
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, TypeError):
            continue  # it has just ended
    return total


class Student:
    """One who logs in with a browser's requests and runs a notebook."""

    def __init__(self, url: str, name: str, password: str):
        self.url, self.name, self.password = url, name, password
        self.web = httpx.AsyncClient(timeout=300, follow_redirects=True)
        self.errors: list[str] = []
        self.first = self.last = float("nan")

    async def run(self, notebook: Path) -> None:
        start = time.monotonic()
        try:
            await self.log_in()
            kernel = (await self.call("POST", "api/kernels", {"path": notebook.name})).json()["id"]
            channel = await self.channel(kernel)
            cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
            for cell in cells:
                if cell["cell_type"] == "code":
                    await self.execute(channel, "".join(cell["source"]))
                    self.last = time.monotonic() - start
                    self.first = min(self.first, self.last) if self.first == self.first else self.last
        except Exception as error:  # a student who fails must not stop the others
            self.errors.append(f"{self.name}: {type(error).__name__}: {error}")

    async def log_in(self) -> None:
        """Through the login page, as a browser does, and on to one's own server."""
        page = await self.web.get(f"{self.url}/hub/login")
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        form = {"username": self.name, "password": self.password, "_xsrf": token[1] if token else ""}
        answer = await self.web.post(f"{self.url}/hub/login", data=form)
        answer.raise_for_status()
        until = time.monotonic() + 300
        while time.monotonic() < until:
            page = await self.web.get(f"{self.url}/user/{self.name}/lab")  # which signs in to one's own server
            if page.status_code == 200 and page.url.path.startswith(f"/user/{self.name}/lab"):
                return
            await asyncio.sleep(1)
        raise TimeoutError("the server did not start in 300 s")

    def cookie(self, name: str) -> str:
        """The cookie of one's own server, where both the hub and the server set one of that name."""
        values = [cookie.value for cookie in self.web.cookies.jar if cookie.name == name]
        own = [c.value for c in self.web.cookies.jar if c.name == name and c.path.startswith(f"/user/{self.name}")]
        return (own or values)[-1]

    async def call(self, method: str, path: str, body: dict) -> httpx.Response:
        address = f"{self.url}/user/{self.name}/{path}"
        answer = await self.web.request(method, address, json=body, headers={"X-XSRFToken": self.cookie("_xsrf")})
        answer.raise_for_status()
        return answer

    async def channel(self, kernel: str):
        from tornado.httpclient import HTTPRequest

        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.web.cookies.jar)
        address = f"{self.url.replace('http', 'ws')}/user/{self.name}/api/kernels/{kernel}/channels"
        return await websocket_connect(
            HTTPRequest(address, headers={"Cookie": cookies, "Origin": self.url}, request_timeout=900)
        )

    async def execute(self, channel, code: str) -> None:
        """One cell; its errors are collected."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": self.name,
            "session": "s",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await channel.write_message(json.dumps(message))
        while True:
            text = await asyncio.wait_for(channel.read_message(), 900)
            if text is None:
                raise ConnectionError("the kernel's connection closed")
            if isinstance(text, bytes):
                continue  # frames of a widget
            answer = json.loads(text)
            if answer.get("parent_header", {}).get("msg_id") != header["msg_id"]:
                continue
            if answer["msg_type"] == "error":
                self.errors.append(f"{self.name}: {answer['content']['ename']}: {answer['content']['evalue']}")
            if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                return


async def measure(count: int, notebook: Path) -> None:
    """One hub, ``count`` students."""
    port, hub_port, proxy_port = free_ports(3)
    with tempfile.TemporaryDirectory() as home:
        proxy = os.environ.get("PROXY") or shutil.which("configurable-http-proxy")
        if proxy is None:
            sys.exit("no configurable-http-proxy: npm install configurable-http-proxy, and say where it is in PROXY")
        config = Path(home) / "config.py"
        config.write_text(
            CONFIG.format(
                config=str(ROOT / "assets" / "jupyterhub" / "jupyterhub_config.py"), root=str(ROOT), home=home, port=port,
                hub_port=hub_port, proxy_port=proxy_port, proxy=[proxy], password="learn",
            )
        )  # fmt: skip
        log = (Path(home) / "hub.log").open("w")
        environment = {**os.environ, "COURSE": str(ROOT), "DIFFUSION_PROGRESS": f"{home}/progress.jsonl"}
        hub = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)], cwd=home, env=environment, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            await answering(url, hub, Path(log.name))
            before = memory(hub.pid)
            students = [Student(url, f"student{k}", "learn") for k in range(count)]
            peak = asyncio.create_task(highest(hub.pid))
            await asyncio.gather(*(student.run(notebook) for student in students))
            peak.cancel()
            after = max(memory(hub.pid), highest.value)
            errors = [error for student in students for error in student.errors]
            print(f"{count:3} students: {len(errors)} failures; first output after "
                  f"{statistics.median(s.first for s in students):.0f} s, last after "
                  f"{statistics.median(s.last for s in students):.0f} s; {(after - before) / count:.0f} MB a student", flush=True)  # fmt: skip
            for error in errors[:5]:
                print("     ", error)
        finally:
            hub.terminate()
            try:
                hub.wait(30)
            except subprocess.TimeoutExpired:
                hub.kill()


async def highest(process: int) -> None:
    """The most memory that is seen, every five seconds."""
    highest.value = 0.0
    while True:
        highest.value = max(highest.value, await asyncio.to_thread(memory, process))
        await asyncio.sleep(5)


async def answering(url: str, hub: subprocess.Popen, log: Path) -> None:
    """Wait until the hub answers."""
    async with httpx.AsyncClient() as web:
        until = time.monotonic() + 180
        while time.monotonic() < until and hub.poll() is None:
            try:
                if (await web.get(f"{url}/hub/health")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.5)
    sys.exit(f"JupyterHub did not start:\n{log.read_text()[-3000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("students", type=int, nargs="*", default=[1, 5, 10])
    parser.add_argument("--notebook", type=Path, default=ROOT / "notebooks" / "02_forward_noising.ipynb")
    options = parser.parse_args()
    for count in options.students:
        asyncio.run(measure(count, options.notebook))


if __name__ == "__main__":
    main()
