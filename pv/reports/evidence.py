"""How a record looks to people."""

from __future__ import annotations

from pv.evidence import Record

__all__ = ["summary"]


def summary(record: Record, path: str) -> list[str]:
    """Return what was measured, on what, by which code, and whether it could have failed, line by line."""
    whole = record.predicate
    falsifier, place, run, host = whole["falsifier"], whole["place"], whole["run"], whole["host"]
    address = f"{falsifier['contract']}#{falsifier['id']}"
    lines = [
        f"{whole['verdict']['outcome'].upper()}  {address} at {place['level']} level",
        f"  {falsifier['rule']}",
        f"  record      {path}",
    ]
    for role, subject in whole["subjects"].items():
        lines.append(f"  {role:<11} {subject['name']}  sha256 {subject['sha256']}")
        lines += [f"              derived from {d['name']} ({d['sha256']})" for d in subject["derived_from"]]
    lines.append(f"  check       {whole['check']['reference']}  closure {whole['inputs']['check'][:12]}")
    for name, cited in whole.get("basis", {}).items():
        lines.append(f"  {name:<11} {cited['metric']} of {cited['falsifier']} at {cited['level']} level")
        lines += [f"              {r['record']}  sha256 {r['sha256']}" for r in cited["records"]]
    if "runs" in whole:
        several, cites = whole["runs"], whole["runs"]["cites"]
        also = f", judged together with {len(cites)} earlier" if cites else ", the first"
        lines.append(f"  run of      {several['at_least']} by {several['by']}: {several['key']}{also}")
        lines += [f"              {run['key']}: {run['record']}  sha256 {run['sha256']}" for run in cites]
    if whole["check"]["arguments"]:
        lines.append(f"  with        {whole['check']['arguments']}")
    for line in whole["verdict"]["lines"]:
        lines.append(f"  {'holds' if line['truth'] else 'FAILS'}       {line['text']}")
    for name, series in whole["measurements"].items():
        values = series["values"]
        shown = f"{values[0]}" if len(values) == 1 else f"{len(values)} samples"
        lines.append(f"  measured    {name}: {shown}")
    if "counter_examples" in whole:
        plants = whole["counter_examples"]
        caught = sum(plant["caught"] for plant in plants.values())
        lines.append(f"  caught      {caught} of {len(plants)}: {', '.join(sorted(plants))}")
    if "survey" in whole:
        lines.append(f"  survey      {len(whole['survey'].get('points', []))} points")
    dirty = " (dirty)" if whole["revision"]["dirty"] else ""
    commit = (whole["revision"]["commit"] or "no git")[:12] + dirty
    gpus = ", ".join(gpu["name"] for gpu in host["gpus"]) or "no GPU"
    when = f"{run['started_at']}, {run['seconds']} s, seed {run['seed']}"
    lines.append(f"  run         {when}, commit {commit}")
    lines.append(f"  host        {host['cpu']}, {gpus}, Python {host['python']}")
    return lines
