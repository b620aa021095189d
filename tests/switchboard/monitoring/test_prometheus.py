"""Prometheus itself: its own tool loads and tests our rules, and a real server scrapes the endpoints.

Debian's package `prometheus` brings both; without it these tests are skipped with one line.
"""

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from switchboard.monitoring.address import parse_address
from switchboard.monitoring.endpoints import serve_endpoints
from tests.switchboard.monitoring.test_endpoints import views
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "deploy" / "prometheus-rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"

needs = {
    name: pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed (package prometheus)")
    for name in ("promtool", "prometheus")
}


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@needs["promtool"]
def test_the_rules_are_rules():
    done = promtool("check", "rules", RULES)

    assert done.returncode == 0, done.stderr
    assert "9 rules found" in done.stdout


SERIES = {
    # alert: the series, its value while all is well, and while it is not; one a minute
    "SwitchboardDown": ('up{job="switchboard", instance="a"}', 1, 0),
    "SwitchboardPulse": ('switchboard_pulse_good{instance="a"}', 1, 0),
    "SwitchboardPulseOld": ('switchboard_pulse_age_seconds{instance="a"}', 10, 130),
    "SwitchboardAlertsOwed": ('switchboard_alerts_owed_age_seconds{instance="a"}', 0, 200),
    "SwitchboardTelegramDeaf": ('switchboard_telegram_poll_age_seconds{instance="a"}', 5, 400),
    "SwitchboardBackupOld": ('switchboard_backup_age_seconds{instance="a"}', 1, 200_000),
}


@needs["promtool"]
@pytest.mark.parametrize("alert", SERIES)
def test_a_rule_fires_when_it_should_and_only_then(alert, tmp_path):
    series, well, ill = SERIES[alert]
    expression = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'

    def case(value: float, samples: list[dict[str, Any]]) -> dict[str, Any]:
        asked = {"expr": expression, "eval_time": "10m", "exp_samples": samples}
        given = {"series": series, "values": f"{value}x20"}
        return {"interval": "1m", "input_series": [given], "promql_expr_test": [asked]}

    path = tmp_path / "test.yaml"
    tests = [case(well, []), case(ill, [{"labels": "{}", "value": 1}])]
    path.write_text(json.dumps({"rule_files": [str(RULES)], "tests": tests}))
    done = promtool("test", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


@needs["prometheus"]
async def test_a_real_prometheus_scrapes_the_endpoint(tmp_path, unused_tcp_port):
    async with serve_endpoints(parse_address("127.0.0.1:0"), views()) as where, aiohttp.ClientSession() as client:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "switchboard", "static_configs": [{"targets": [where.removeprefix("http://")]}]}
            ],
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps(config))
        process = await asyncio.create_subprocess_exec(
            "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{unused_tcp_port}",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            api = f"http://127.0.0.1:{unused_tcp_port}/api/v1"

            async def query(expression: str) -> list[Any]:
                try:
                    async with client.get(f"{api}/query", params={"query": expression}) as answer:
                        if answer.status == 503:  # it listens before it is ready
                            return []
                        body = await answer.json()
                except aiohttp.ClientConnectorError:
                    return []
                assert body["status"] == "success", (expression, body)
                return body["data"]["result"]

            await until(lambda: query('up{job="switchboard"} == 1'), "the scrape", within=60)
            (owed,) = await query("switchboard_alerts_owed_age_seconds")
            assert owed["value"][1] == "61.5"
            for expression in expressions():
                await query(expression.replace("$__rate_interval", "1m"))  # each is understood
            async with client.get(f"{api}/rules") as answer:
                groups = (await answer.json())["data"]["groups"]
            await until(lambda: query('ALERTS{alertname="SwitchboardPulse"}'), "the pulse's alert", within=60)
            assert [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")] == []
        finally:
            process.terminate()
            await process.wait()


def test_the_dashboard_and_the_rules_ask_for_what_there_is():
    assert missing_in(views().metrics().decode()) == set()


def missing_in(scrape: str) -> set[str]:
    """Return what the dashboard and the rules ask for, and a scrape does not have: names, and figures of the host."""
    asked = "\n".join([*expressions(), RULES.read_text("utf-8")])
    known = {line.split()[2] for line in scrape.splitlines() if line.startswith("# TYPE")}
    known |= {f"{name}_bucket" for name in known}
    figures = set(re.findall(r'switchboard_host\{figure="(\w+)"', scrape))
    return (set(re.findall(r"switchboard_\w+", asked)) - known) | (
        set(re.findall(r'switchboard_host\{figure="(\w+)"', asked)) - figures
    )
