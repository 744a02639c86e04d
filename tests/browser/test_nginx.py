"""Behind a real nginx: TLS, a sub-path, a rewritten Host, buffering, and connections that are cut when they are idle."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.support.browser import Browser, Tab
from tests.support.dashboard import change, fill, fresh_env
from tests.support.ports import free_port
from tests.support.publisher import Publisher
from tests.support.server import VisdomServer
from tests.support.wait import during, until

MISSING = [name for name in ("nginx", "openssl") if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

IDLE_S = 3
"""nginx gives up what is silent for so long; 60 by default, often set to 30. The heartbeat of these tests is as much shorter."""

CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
  access_log access.log;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  ssl_certificate cert.pem;
  ssl_certificate_key key.pem;
  proxy_http_version 1.1;
  proxy_buffering on;
  proxy_read_timeout {idle_s}s;
  proxy_send_timeout {idle_s}s;
  proxy_set_header Host visdom.internal;
  server {{
    listen 127.0.0.1:{websocket_port} ssl;
    location /vis/ {{
      proxy_pass http://127.0.0.1:{upstream_port};
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }}
  }}
  server {{
    listen 127.0.0.1:{plain_port} ssl;
    location /vis/ {{
      proxy_pass http://127.0.0.1:{upstream_port};
      proxy_set_header Connection "";
    }}
  }}
}}
"""


class Nginx:
    """One nginx in front of a server: `websocket_port` passes WebSockets on, `plain_port` does not. Both speak TLS only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.websocket_port = free_port()
        self.plain_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def origins(self) -> str:
        return ",".join(f"https://127.0.0.1:{port}" for port in (self.websocket_port, self.plain_port))

    def start(self, upstream_port: int) -> None:
        request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
        files = ["-keyout", "key.pem", "-out", "cert.pem"]
        subprocess.run(["openssl", *request.split(), *files], cwd=self.directory, check=True, capture_output=True)
        ports = {"websocket_port": self.websocket_port, "plain_port": self.plain_port, "upstream_port": upstream_port}
        (self.directory / "nginx.conf").write_text(CONFIG.format(idle_s=IDLE_S, **ports))
        program = str(shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin"))
        with (self.directory / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                [program, "-p", str(self.directory), "-c", "nginx.conf", "-e", "error.log"], stdout=output, stderr=output
            )
        until(self._answers, "nginx answers", seen=self.log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(10)

    def log(self) -> str:
        return "".join(
            (self.directory / name).read_text() for name in ("output.log", "error.log") if (self.directory / name).exists()
        )

    def websockets(self) -> int:
        """How many WebSockets have ended."""
        return (self.directory / "access.log").read_text().count('" 101 ')

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"nginx ended:\n{self.log()}"
        try:
            return requests.get(
                f"https://127.0.0.1:{self.plain_port}/vis/", verify=str(self.directory / "cert.pem"), timeout=5
            ).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., VisdomServer]) -> Iterator[tuple[Nginx, VisdomServer]]:
    nginx = Nginx(tmp_path_factory.mktemp("nginx"))
    server = serve(base_url="/vis", settings={"allowed_origins": nginx.origins()})
    try:
        nginx.start(server.port)
        yield nginx, server
    finally:
        nginx.stop()


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[[int, str], Tab]]:
    def open_tab(port: int, env: str) -> Tab:
        tab = browser.open("about:blank")
        browser.driver.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
        tab.go(f"https://127.0.0.1:{port}/vis/env/{env}")
        return tab

    yield open_tab
    browser.close_tabs()


def test_websocket_stays_through_idle_times(proxied: tuple[Nginx, VisdomServer], open_tab: Callable[[int, str], Tab]) -> None:
    nginx, server = proxied
    vis = Publisher(server, fresh_env())
    fill(vis)
    tab = open_tab(nginx.websocket_port, vis.env)
    tab.assert_equals(server, vis.env)
    tab.wait_session(phase="live", link="websocket")
    ended = nginx.websockets()
    during(2.5 * IDLE_S, tab.is_live, "an idle page keeps its link for longer than nginx keeps what is silent")
    assert nginx.websockets() == ended, "no WebSocket was cut"
    change(vis)
    tab.assert_equals(server, vis.env)
    tab.assert_same_page()
    vis.close_session()


def test_polls_where_nginx_does_not_pass_websockets(
    proxied: tuple[Nginx, VisdomServer], open_tab: Callable[[int, str], Tab]
) -> None:
    """Replies are buffered, which long polls do not mind."""
    nginx, server = proxied
    vis = Publisher(server, fresh_env())
    fill(vis)
    tab = open_tab(nginx.plain_port, vis.env)
    tab.wait_session(phase="live", link="poll", timeout_s=30)
    tab.assert_equals(server, vis.env)
    during(2.5 * IDLE_S, tab.is_live, "an idle page keeps polling")
    change(vis)
    tab.assert_equals(server, vis.env)
    large = "x" * 3_000_000
    vis.text(large, win="notes", opts={"title": "Notes"})
    tab.assert_equals(server, vis.env)
    tab.assert_same_page()
    vis.close_session()


def test_rewritten_host_without_the_setting_is_told(
    tmp_path: Path, serve: Callable[..., VisdomServer], open_tab: Callable[[int, str], Tab]
) -> None:
    nginx = Nginx(tmp_path)
    server = serve(base_url="/vis")
    try:
        nginx.start(server.port)
        tab = open_tab(nginx.websocket_port, "main")
        tab.wait_session(phase="stopped", timeout_s=30)
        assert "ALLOWED_ORIGINS" in server.log_path.read_text()
    finally:
        nginx.stop()
