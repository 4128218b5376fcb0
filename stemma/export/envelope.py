"""A statement in an envelope that is signed: DSSE v1 (Dead Simple Signing Envelope), with one ed25519 signature."""

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stemma.errors import ArtifactError
from stemma.export.keys import key_id

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def seal(payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope of a payload, signed; the same payload and key give the same bytes."""
    return _envelope(payload, key_id(key.public_key()), key.sign(pre_authentication_encoding(payload)))


def unseal(envelope: bytes, key: Ed25519PublicKey) -> bytes:
    """The payload of an envelope that this key signed.

    Raises ArtifactError where it is no envelope as `seal` writes it, or where another key signed it.
    """
    payload, keyid, signature = _opened(envelope)
    if keyid != key_id(key):
        raise ArtifactError(f"is signed by key {keyid}, not by key {key_id(key)}")
    try:
        key.verify(signature, pre_authentication_encoding(payload))
    except InvalidSignature:
        raise ArtifactError(f"was changed after key {keyid} signed it") from None
    return payload


def pre_authentication_encoding(payload: bytes) -> bytes:
    """What is signed: the payload with its type, each after its length (DSSE v1, PAE)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _envelope(payload: bytes, keyid: str, signature: bytes) -> bytes:
    content = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _opened(envelope: bytes) -> tuple[bytes, str, bytes]:
    try:
        content: dict[str, Any] = json.loads(envelope)
        (signed,) = content["signatures"]
        payload, signature = (base64.b64decode(text, validate=True) for text in (content["payload"], signed["sig"]))
        keyid = str(signed["keyid"])
    except (ValueError, KeyError, TypeError):
        raise ArtifactError("is no envelope with one signature") from None
    # Base64 and JSON can say the same in several ways, and a changed byte shall never go unseen.
    if _envelope(payload, keyid, signature) != envelope:
        raise ArtifactError("is not written as Stemma writes envelopes, so some of it was changed")
    return payload, keyid, signature
