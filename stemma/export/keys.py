"""The key that signs exports: one ed25519 key in a file of its own, which only its owner may read."""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stemma.errors import SettingsError

VARIABLE = "STEMMA_SIGNING_KEY_FILE"
USUAL = Path(".config/stemma/signing.pem")
"""Where the key lies under a home folder, unless the variable says otherwise."""


def key_file() -> Path:
    """Where the signing key lies, or would lie."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path.home() / USUAL


def new_key() -> Path:
    """Make a signing key; returns where it lies now.

    Raises SettingsError where there is one already.
    """
    file = key_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SettingsError(f"there is a signing key at {file} already; leave --new-key out to use it") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    return file


def signing_key() -> Ed25519PrivateKey:
    """The signing key.

    Raises SettingsError where there is none, where it is no ed25519 key, or where others may read it.
    """
    file = key_file()
    try:
        content, others = file.read_bytes(), file.stat().st_mode & 0o077
    except FileNotFoundError:
        raise SettingsError(
            f"there is no signing key at {file}; `stemma export … --new-key` makes one, or set {VARIABLE} to yours"
        ) from None
    except OSError as error:
        raise SettingsError(f"the signing key {file} cannot be read: {error.strerror}") from None
    if others:
        raise SettingsError(f"others may read the signing key {file}, so its signature proves nothing: chmod 600 it")
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(f"{file} holds no private key as unencrypted PEM: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{file} holds another kind of key; exports are signed with ed25519")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_public_key(file: Path) -> Ed25519PublicKey:
    """A public key from a PEM file.

    Raises SettingsError where it is not there, or holds none.
    """
    try:
        key = serialization.load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"the public key {file} cannot be read: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"{file} holds no public key as PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{file} holds another kind of key; exports are signed with ed25519")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """What a key is called: the sha256 of its public half in DER, in hexadecimal."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
