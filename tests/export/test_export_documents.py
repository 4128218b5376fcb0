"""The documents of an export are valid by the official schemas, and tell what is known of the model."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import (  # type: ignore[import-untyped]  # its stubs are no part of what tests need
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    struct_pb2,
    timestamp_pb2,
)
from jsonschema.validators import validator_for  # type: ignore[import-untyped]  # its stubs are neither
from referencing import Registry as Schemas
from referencing import Resource

from tests.exports import KEY, RAW, Shop

SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
CYCLONEDX = "http://cyclonedx.org/schema"
PROV_ENDS = ("prov:entity", "prov:activity", "prov:agent", "prov:usedEntity", "prov:generatedEntity")


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / "provenance" / name).read_text())


def events(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "provenance" / "openlineage.ndjson").read_text().splitlines()]


def statement(folder: Path) -> Any:
    return json.loads(base64.b64decode(read(folder, "statement.dsse.json")["payload"]))


def faults(document: Any, schema: str, *referred: str) -> list[str]:
    loaded = json.loads((SCHEMAS / schema).read_text())
    resources = [
        (f"{CYCLONEDX}/{name}", Resource.from_contents(json.loads((SCHEMAS / name).read_text()))) for name in referred
    ]
    validator = validator_for(loaded)
    found = validator(loaded, registry=Schemas().with_resources(resources), format_checker=validator.FORMAT_CHECKER)
    return [error.message for error in found.iter_errors(document)]


def test_the_bill_of_materials_is_valid_cyclonedx(exported: Path) -> None:
    bom = read(exported, "bom.cdx.json")
    referred = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    assert faults(bom, "bom-1.6.SNAPSHOT.schema.json", *referred) == []
    bom["metadata"]["component"]["modelCard"]["modelParameters"]["approach"]["type"] = "guessing"
    assert faults(bom, "bom-1.6.SNAPSHOT.schema.json", *referred)


def test_the_bill_of_materials_refers_only_to_what_it_lists(exported: Path) -> None:
    bom = read(exported, "bom.cdx.json")
    refs = [component["bom-ref"] for component in (bom["metadata"]["component"], *bom["components"])]
    assert len(refs) == len(set(refs))
    named = [ref for dependency in bom["dependencies"] for ref in (dependency["ref"], *dependency["dependsOn"])]
    assert set(named) == set(refs)
    assert {"pkg:pypi/dvc@3.67.1", "pkg:pypi/ruamel-yaml@0.19.1"} <= set(refs)


def test_the_events_are_valid_openlineage(exported: Path) -> None:
    told = events(exported)
    assert [event["job"]["name"] for event in told] == ["rlhf.label", "rlhf.data", "rlhf.base", "rlhf.ppo"]
    for event in told:
        assert faults(event, "openlineage-2-0-2.schema.json") == []
        parent = event["run"]["facets"]["parent"]
        assert {"runId"} <= set(parent["run"])
        assert {"namespace", "name"} <= set(parent["job"])
        for dataset in (*event["inputs"], *event["outputs"]):
            assert isinstance(dataset["facets"]["version"]["datasetVersion"], str)
    del told[0]["run"]["facets"]["parent"]["_producer"]
    assert faults(told[0], "openlineage-2-0-2.schema.json")


def test_the_prov_document_is_valid_and_says_who_labelled(exported: Path) -> None:
    prov = read(exported, "prov.json")
    assert faults(prov, "prov-json.schema.json") == []
    known = {*prov["entity"], *prov["activity"], *prov["agent"]}
    relations = [record for name in prov if name.startswith(("was", "used")) for record in prov[name].values()]
    ends = {record[key] for record in relations for key in record if key in PROV_ENDS}
    assert ends == known
    counts = {
        prov["agent"][who["prov:agent"]]["prov:label"]: who["stemma:verdicts"]
        for who in prov["wasAttributedTo"].values()
    }
    assert counts == {"ada": 2, "böb | <b>": 1}
    prov["wasDerivedFrom"]["_:from1"].pop("prov:usedEntity")
    assert faults(prov, "prov-json.schema.json")


def message(name: str) -> Any:
    """An empty message of one of the official protobuf types."""
    listed = json_format.ParseDict(
        json.loads((SCHEMAS / "in-toto-attestation.descriptors.json").read_text()), descriptor_pb2.FileDescriptorSet()
    )
    pool = descriptor_pool.DescriptorPool()
    for known in (struct_pb2, timestamp_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    for file in listed.file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()


def test_the_statement_is_valid_in_toto_with_a_slsa_predicate(exported: Path, shop: Shop) -> None:
    told = statement(exported)
    json_format.ParseDict(told, message("in_toto_attestation.v1.Statement"))
    json_format.ParseDict(told["predicate"], message("in_toto_attestation.predicates.provenance.v1.Provenance"))
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict({**told, "subjects": []}, message("in_toto_attestation.v1.Statement"))
    assert (told["_type"], told["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert all(set(subject["digest"]) == {"sha256"} for subject in told["subject"])
    build, run = told["predicate"]["buildDefinition"], told["predicate"]["runDetails"]
    assert build["buildType"]
    assert run["builder"]["id"]
    assert run["metadata"] == {"invocationId": f"calm@{shop.commit}", "finishedOn": "2023-11-14T22:15:20Z"}
    found = {d.get("uri", d.get("name")): d["digest"] for d in build["resolvedDependencies"] if "digest" in d}
    assert found[f"urn:stemma:artifact:{shop.label}"] == {"sha256": shop.project.manifest_sha256(shop.label)}
    raw = next(digest for uri, digest in found.items() if uri.startswith("urn:stemma:file:"))
    assert raw["sha256"] == sha256(RAW).hexdigest()
    assert found["code"] == {"gitCommit": shop.project.git.run("rev-parse", "HEAD")}


def test_the_envelope_is_dsse(exported: Path) -> None:
    """The bytes that are signed are put together here by the text of DSSE v1, not by the code under test."""
    envelope = read(exported, "statement.dsse.json")
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    kind, payload = envelope["payloadType"], base64.b64decode(envelope["payload"])
    assert kind == "application/vnd.in-toto+json"
    encoded = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    (signature,) = envelope["signatures"]
    public: Ed25519PublicKey = KEY.public_key()
    public.verify(base64.b64decode(signature["sig"]), encoded)


def test_the_card_is_read_by_the_hub_and_tells_what_matters(exported: Path) -> None:
    from huggingface_hub import ModelCard, ModelCardData

    card = ModelCard((exported / "README.md").read_text())
    assert isinstance(card.data, ModelCardData)
    assert card.data.pipeline_tag == "text-generation"
    assert {(result.metric_type, result.metric_value) for result in card.data.eval_results or []} == {
        ("gold/win_rate", 0.86),
        ("gold/mean", 0.5),
        ("greedy/gold/mean", 0.6),
    }
    for words in (
        "| eval_ppo | test | `gold/win_rate` |  | 0.86 | 0.84 to 0.88 |",
        "| eval_ppo | test | `gold/mean` | -0.2 | 0.5 |  |",
        "| `ppo.kl_coef` | `0.1` | `0.2` |",
        "- ada: 2 verdicts",
        "- base model: small at cccc",
        f"- raw file: `inputs/pairs.jsonl`, {len(RAW)} B, sha256 `{sha256(RAW).hexdigest()}`",
        "└── label",
        "stemma verify-export . --key PUBLIC_KEY",
    ):
        assert words in card.text
