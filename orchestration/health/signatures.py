"""How posts of alerts are signed: the scheme of Standard Webhooks (standardwebhooks.com, 1.0)."""

import base64
import binascii
import hashlib
import hmac

SECRET_PREFIX = "whsec_"
ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"


def signing_key(secret: str) -> bytes:
    """The bytes of a secret: base64 after `whsec_`, else the text itself.

    Raises:
        ValueError: what follows `whsec_` is no base64.
    """
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("what follows whsec_ must be base64") from error


def signed_headers(secret: str, message_id: str, unix_s: int, body: bytes) -> dict[str, str]:
    """The headers of a post: HMAC-SHA256 over `id.timestamp.body`, in base64, of version 1."""
    signed = f"{message_id}.{unix_s}.".encode() + body
    digest = hmac.new(signing_key(secret), signed, hashlib.sha256).digest()
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(unix_s),
        SIGNATURE_HEADER: "v1," + base64.b64encode(digest).decode(),
    }
