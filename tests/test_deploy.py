"""What the files for servers name is there: settings, paths, the metrics' address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from specchat.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "assets" / "deploy"
ALREADY = {"SPECCHAT_METRICS_KEY"}  # of the compose file itself
READ_ELSEWHERE = {"SPECCHAT_SQLITE_JOURNAL"}


def test_every_setting_is_one() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    for file in DEPLOY.iterdir():
        named = set(re.findall(r"SPECCHAT_[A-Z_]+", file.read_text()))
        assert named <= known | ALREADY | READ_ELSEWHERE, file.name


def test_the_container_copies_what_there_is() -> None:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name
    assert re.search(r"^PRETRAINED \?= \S+==", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_services_find_each_other() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert {"specchat", "postgres", "prometheus", "grafana"} == set(services)
    build = services["specchat"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve().exists()
    scraped = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    (job,) = scraped["scrape_configs"]
    assert job["static_configs"][0]["targets"] == ["specchat:7860"]
    mounted = [each.split(":")[0] for each in services["grafana"]["volumes"]]
    assert all((DEPLOY / each).resolve().exists() for each in mounted)
    (source,) = yaml.safe_load((DEPLOY / "grafana-sources.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert json.loads((ROOT / "assets" / "monitoring" / "grafana.json").read_text())["panels"]
