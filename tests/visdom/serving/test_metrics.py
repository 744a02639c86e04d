"""``/transport/metrics`` of a server."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable

import pytest
import requests

from tests.operators.exposed import Exposed, scraped
from tests.support.local import LocalServer
from tests.support.own import OwnPoll, OwnSocket
from tests.support.ports import free_port
from tests.support.records import Records
from tests.support.served import ADA
from tests.support.stock_peers import StockSocket
from tests.support.wait import until

Serve = Callable[..., LocalServer]

TOKEN = "s3cret.of-the/scraper="


def at(port: int, headers: dict[str, str] | None = None) -> requests.Response:
    """What is answered at a port that is opened when the server has begun."""
    answers: list[requests.Response] = []

    def is_answered() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            answers.append(requests.get(f"http://127.0.0.1:{port}/metrics", headers=headers, timeout=20))
        return bool(answers)

    until(is_answered, f"something is at port {port}")
    return answers[0]


def ignore_no_page(records: Records) -> None:
    """As Visdom logs that there is none."""
    records.ignore("404 GET /transport/metrics")
    records.ignore("ERROR root")


def shows(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_all_that_it_tells_is_documented_and_bounded(server: LocalServer, records: Records) -> None:
    records.expect("400 POST /update")
    server.text("a", "one", eid="an environment")
    server.plot("b", [1.0])
    server.append("b", 1.0, 2.0)
    server.post("/update", {"win": "b", "eid": "main", "data": 3})
    server.post("/transport/publish", {"producer": "p", "first": 1, "messages": [{"endpoint": "odd", "body": {}}]})
    with OwnSocket(server, "env/main", "shared") as client, StockSocket(server):
        OwnPoll(server, "env/main", "events").converge()
        server.text("a", "two")
        client.converge()
        found = scraped(server)
    found.check()
    assert found.value("published_total", endpoint="update", result="applied") == 1
    assert found.value("published_total", endpoint="update", result="refused") == 1
    assert found.value("published_total", endpoint="other", result="refused") == 1
    assert found.value("publishers") == 1
    assert found.value("sessions", role="browser", dialect="stock") == 1
    assert found.value("environments") >= 2


def test_it_tells_how_old_the_pictures_are(server: LocalServer) -> None:
    server.text("a", "one")
    with OwnSocket(server, "env/main", acknowledge=False) as client:
        client.converge()
        until(lambda: scraped(server).value("clients_behind", over="1", role="browser") == 1, "it is behind")
        found = scraped(server)
        assert found.value("oldest_picture_seconds") > 1
        assert found.value("clients_behind", over="30", role="browser") == 0
        assert found.value("in_flight_bytes", transport="websocket") > 0
        assert found.value("freshness_seconds_count", stage="sent", transport="websocket") >= 1
        assert found.value("freshness_seconds_count", stage="drawn", transport="websocket") == 0
    until(lambda: scraped(server).value("links", role="browser", dialect="own", transport="websocket") == 0, "it has gone")
    assert scraped(server).value("oldest_picture_seconds") == 0


def test_it_tells_of_the_journal(serve: Serve) -> None:
    server = serve(settings={"journal_interval_s": 0.05})
    server.text("a", "one")
    until(lambda: scraped(server).value("journal_write_seconds_count") > 0, "it is written")
    until(lambda: scraped(server).value("journal_lag_seconds") == 0, "all is on disk")
    found = scraped(server)
    assert found.value("journal_bytes") > 0
    assert found.value("journal_errors_total") == 0


def test_openmetrics_is_given_to_whoever_asks_for_it(server: LocalServer) -> None:
    asked = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = server.http.get(server.url("/transport/metrics"), headers=asked, timeout=20)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert server.get("/transport/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_two_applications_of_a_process_have_metrics_of_their_own(serve: Serve) -> None:
    first, second = serve(), serve(base_url="/second")
    first.text("a", "one")
    assert scraped(first).value("published_total", endpoint="events", result="applied") == 1
    assert ("visdom_transport_published_total", "events") not in scraped(second).samples
    assert scraped(second).value("windows") == 0


def test_a_setting_turns_them_off(serve: Serve, records: Records) -> None:
    ignore_no_page(records)
    server = serve(settings={"metrics": "off"})
    server.text("a", "one")
    with OwnSocket(server, "env/main") as client:
        client.converge()
        assert "# TYPE" not in server.get("/transport/metrics").text
        assert server.app.transport.hub.counts is None


def test_with_a_login_it_needs_that_or_the_token(serve: Serve, records: Records) -> None:
    records.expect("40[01] GET /transport/(metrics|status)")
    server = serve(login=ADA, settings={"metrics_token": TOKEN})
    assert scraped(server).value("waiting_links") == 0
    url = server.url("/transport/metrics")
    assert requests.get(url, timeout=20).status_code in (400, 401)
    assert requests.get(url, headers=shows("guessed"), timeout=20).status_code in (400, 401)
    answer = requests.get(url, headers=shows(TOKEN), timeout=20)
    assert (answer.status_code, "# TYPE" in answer.text) == (200, True)
    assert TOKEN not in answer.text
    assert requests.get(server.url("/transport/status"), headers=shows(TOKEN), timeout=20).status_code in (400, 401)


def test_without_a_token_in_the_settings_none_is_right(serve: Serve, records: Records) -> None:
    records.expect("40[01] GET /transport/metrics")
    server = serve(login=ADA)
    for token in ("", "None"):
        assert requests.get(server.url("/transport/metrics"), headers=shows(token), timeout=20).status_code in (400, 401)


def test_they_may_have_a_port_of_their_own(serve: Serve, records: Records) -> None:
    ignore_no_page(records)
    port = free_port()
    server = serve(settings={"metrics_port": port, "allowed_hosts": "dash.example"})
    Exposed(at(port).text).check()
    assert "# TYPE" not in server.get("/transport/metrics").text
    assert at(port, {"Host": "evil.example"}).status_code == 403
    assert at(port, {"Host": "dash.example"}).status_code == 200


def test_at_that_port_the_token_is_needed_where_people_log_in(serve: Serve) -> None:
    port, other = free_port(), free_port()
    serve(login=ADA, settings={"metrics_port": port})
    assert at(port).status_code == 401
    serve(settings={"metrics_port": other, "metrics_token": TOKEN})
    assert at(other).status_code == 401
    assert at(other, shows(TOKEN)).status_code == 200


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus")
def test_promtool_finds_nothing_to_mend(server: LocalServer) -> None:
    text = server.get("/transport/metrics").text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
