"""Rewrite each stage's code dependencies in dvc.yaml from its import closure: `make deps`."""

from pathlib import Path

from ruamel.yaml import YAML

from stemma.lineage.closure import import_closure

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = ROOT / "dvc.yaml"
    pipeline = yaml.load(path.read_text(encoding="utf-8"))
    for described in pipeline["stages"].values():
        stage = described.get("do", described)
        kept = [dep for dep in stage["deps"] if dep.startswith(("artifacts/", "inputs"))]
        code = [file.as_posix() for file in import_closure(ROOT, stage["cmd"].split()[2])]
        stage["deps"] = [*code, "requirements.txt", *kept]
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(pipeline, stream)


if __name__ == "__main__":
    main()
