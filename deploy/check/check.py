#!/usr/bin/env python3
"""Checks what is in deploy/ with the tools that install.sh puts into the folder DEPLOY_TOOLS names.

Prints one line a check, and every complaint; exits 1 if there was one. `--write` renews the rendered
charts in deploy/helm/golden instead of comparing with them.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

DEPLOY = Path(__file__).resolve().parent.parent
CHART = DEPLOY / "helm" / "bac-hub"
GOLDEN = DEPLOY / "helm" / "golden"
TOOLS = Path(os.environ.get("DEPLOY_TOOLS", "/nonexistent"))
KUBERNETES = "1.34.0"
# Kinds of others: no schema here.
FOREIGN = re.compile(r"^(keda\.sh|gateway\.networking\.k8s\.io|monitoring\.coreos\.com)/")
PROMTOOL = TOOLS / "prometheus/usr/bin/promtool"
HADOLINT = TOOLS / "python/bin/hadolint"
COMPOSE = TOOLS / "bin/compose"

if not all(tool.exists() for tool in (PROMTOOL, HADOLINT, COMPOSE)):
    sys.exit("The tools are missing: run deploy/check/install.sh DIR and set DEPLOY_TOOLS=DIR.")
sys.path.insert(0, str(TOOLS / "python"))

import helm_python  # noqa: E402
import kubernetes_validate  # noqa: E402
import yaml  # noqa: E402

complaints: list[str] = []


def check(name: str, found: list[str], note: str = "") -> None:
    print(f"{'ok  ' if not found else 'BAD '} {name}{f': {note}' if note else ''}")
    for line in found:
        print(f"       {line}")
    complaints.extend(found)


def run(*command: object, cwd: Path | None = None) -> list[str]:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=cwd, timeout=120)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines() or ["failed"]


def dockerfile() -> None:
    check("Dockerfile (hadolint)", run(HADOLINT, "--failure-threshold", "style", DEPLOY / "Dockerfile"))


def environment() -> dict[str, str]:
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def compose() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    given = environment()
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name, fallback = match.group(1), match.group(3)
        if match.group(2) == ":?" and name not in given:
            missing.append(f"{name} is not in env.example")
        return given.get(name) or fallback or "example"

    filled = re.sub(r"\$\{(\w+)(:[?-])([^}]*)\}", value, text)
    unused = [name for name in given if f"${{{name}" not in text and f"environment: {name}" not in text]
    check("env.example", missing + [f"{name} is used nowhere" for name in unused], f"{len(given)} values")
    images = re.findall(r"^\s+image: (\S+)$", text, re.M)
    loose = [f"{image} is not pinned" for image in images if "$" not in image and not re.search(r":v?\d+\.\d+.*$", image)]
    check("images are pinned", loose, f"{len(images)} images")
    model = yaml.safe_load(filled)
    mounts = [str(volume).split(":")[0] for service in model["services"].values() for volume in service.get("volumes", [])]
    gone = [f"{path} does not exist" for path in mounts if path.startswith("./") and not (DEPLOY / path).exists()]
    check("mounted files exist", gone)
    broken = []
    for file in sorted(DEPLOY.glob("compose/**/*.xml")):
        try:
            ElementTree.parse(file)
        except ElementTree.ParseError as error:
            broken.append(f"{file.name}: {error}")
    check("XML of ClickHouse and Keeper is well-formed", broken)
    open_ports = [
        f"{name} listens beyond loopback: {port}"
        for name, service in model["services"].items()
        for port in service.get("ports", [])
        if not str(port).startswith("127.0.0.1:")
    ]
    check("ports are published on loopback only", open_ports)
    check("compose.yaml, what services refer to", references(model))
    with tempfile.TemporaryDirectory() as folder:
        for profiles in ("", "debezium", "monitoring", "debezium,monitoring"):
            chosen = dict(model)
            wanted = set(profiles.split(","))
            chosen["services"] = {
                name: service
                for name, service in model["services"].items()
                if not service.get("profiles") or wanted & set(service["profiles"])
            }
            file = Path(folder) / "compose.yaml"
            file.write_text(yaml.safe_dump(chosen))
            done = subprocess.run(
                [str(COMPOSE), "-format", "json", file.name], capture_output=True, text=True, cwd=folder, timeout=60
            )
            loaded = json.loads(done.stdout)["services"] if done.returncode == 0 else {}
            problems = [] if done.returncode == 0 else done.stderr.strip().splitlines() or ["failed"]
            check(f"compose.yaml, profiles [{profiles}]", problems, f"{len(loaded)} services")


def references(model: dict) -> list[str]:
    """Which the loader lets pass: names of others, and waiting for the health of what has no health check."""
    services = model["services"]
    found = []
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            other = services.get(needed)
            if other is None:
                found.append(f"{name} depends on {needed}, which is not there")
            elif how["condition"] == "service_healthy" and "healthcheck" not in other:
                found.append(f"{name} waits for the health of {needed}, which has no check")
            elif not set(other.get("profiles", [])) <= set(service.get("profiles", [])):
                found.append(f"{name} depends on {needed}, which is not in its profiles")
        for kind in ("networks", "secrets"):
            found += [f"{name}: no {kind[:-1]} {used}" for used in service.get(kind, []) if used not in model[kind]]
        sources = [str(volume).split(":")[0] for volume in service.get("volumes", [])]
        found += [f"{name}: no volume {used}" for used in sources if "/" not in used and used not in model["volumes"]]
    return found


def monitoring() -> None:
    rules = CHART / "files" / "alerts.yaml"
    check("alert rules (promtool)", run(PROMTOOL, "check", "rules", rules))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The configuration as it is in the container, with its paths led here.
        text = (DEPLOY / "compose/prometheus/prometheus.yaml").read_text()
        text = text.replace("/etc/prometheus/alerts.yaml", str(rules))
        text = text.replace("/run/secrets/metrics-key", str(folder / "key"))
        (folder / "key").write_text("key")
        (folder / "prometheus.yaml").write_text(text)
        check("prometheus.yaml (promtool)", run(PROMTOOL, "check", "config", folder / "prometheus.yaml"))
        queries = [
            re.sub(r"\$(source|table)\b", ".*", target["expr"])
            for file in sorted((CHART / "files/dashboards").glob("*.json"))
            for panel in json.loads(file.read_text())["panels"]
            for target in panel.get("targets", [])
        ]
        recorded = [{"record": f"query_{index}", "expr": expr} for index, expr in enumerate(queries)]
        (folder / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": recorded}]}))
        parsed = run(PROMTOOL, "check", "rules", folder / "queries.yaml")
        check("every query of the dashboards parses (promtool)", parsed, f"{len(queries)} queries")


def chart(write: bool) -> None:
    with helm_python.Chart.load(CHART) as loaded:
        for file in sorted((CHART / "ci").glob("*-values.yaml")):
            name = file.name.removesuffix("-values.yaml")
            values = yaml.safe_load(file.read_text())
            report = helm_python.lint(CHART, values, strict=True, kube_version=f"v{KUBERNETES}", namespace="data")
            bad = [f"{m['path']}: {m['error']}" for m in report["messages"] if m["severity"] > 1] + report["errors"]
            check(f"chart, values {name}: lint", bad)
            rendered = loaded.render(values, name="hub", namespace="data")
            text = "".join(
                f"---\n# Source: {path}\n{body.strip()}\n"
                for path, body in sorted(rendered.items())
                if path.endswith(".yaml") and body.strip()
            )
            objects = [item for item in yaml.safe_load_all(text) if item]
            check(f"chart, values {name}: schemas of Kubernetes {KUBERNETES}", schemas(objects), kinds(objects))
            golden = GOLDEN / f"{name}.yaml"
            if write:
                golden.write_text(text)
            else:
                same = golden.exists() and golden.read_text() == text
                check(f"chart, values {name}: as in helm/golden", [] if same else ["differs: see check.py --write"])
        for values, why in REFUSED:
            try:
                loaded.validate_schema(values)
                loaded.render(values, name="hub", namespace="data")
                check(f"chart refuses {why}", ["it did not"])
            except helm_python.HelmError:
                check(f"chart refuses {why}", [])


REFUSED = (
    ({"secret": {"existing": "s"}, "sinks": 3}, "an unknown value"),
    ({"secret": {"existing": "s"}, "capture": {"replicas": 5}}, "five captures"),
    ({"secret": {"existing": "s"}, "sink": {"autoscaling": {"mode": "magic"}}}, "an unknown way to scale"),
    ({"secret": {"existing": "s", "ownerKey": "password"}}, "an owner key of another form"),
    ({}, "no secret at all"),
    ({"secret": {"existing": "s"}, "canary": {"enabled": True, "tag": "1"}}, "a canary without a gateway"),
)


def schemas(objects: list[dict]) -> list[str]:
    found = []
    for item in objects:
        if FOREIGN.match(item["apiVersion"]):
            continue
        try:
            kubernetes_validate.validate(item, KUBERNETES.rsplit(".", 1)[0], strict=True)
        except Exception as error:  # its errors have no common class
            found.append(f"{item['kind']} {item['metadata']['name']}: {str(error).splitlines()[0]}")
    return found


def kinds(objects: list[dict]) -> str:
    unchecked = sorted({item["kind"] for item in objects if FOREIGN.match(item["apiVersion"])})
    return f"{len(objects)} objects" + (f"; without a schema: {', '.join(unchecked)}" if unchecked else "")


dockerfile()
compose()
monitoring()
chart("--write" in sys.argv)
print(f"{len(complaints)} complaints")
sys.exit(1 if complaints else 0)
