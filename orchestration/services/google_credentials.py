"""Access tokens for Google's APIs, by google-auth: it signs and refreshes, and asks in a thread.

Two kinds of files are taken, as Google issues them: `service_account` (a key, with which a JSON Web
Token signed by RS256 is exchanged for an access token, RFC 7523) and `authorized_user` (a refresh
token). Neither key nor token is ever logged or shown.
"""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from google.auth.exceptions import GoogleAuthError, RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from orchestration.errors import ConfigurationError, GoogleMeetError, GoogleMeetRefused

GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"
"""Where a refresh token is exchanged, unless its file says otherwise."""

MEET_SCOPE = "https://www.googleapis.com/auth/meetings.space.readonly"


class GoogleCredentials:
    """One account's token, kept until shortly before it expires."""

    def __init__(
        self, account: Mapping[str, Any], *, subject: str | None, timeout_s: float
    ) -> None:
        """`account` is what a credentials file holds; `subject` the user whom a service account
        stands in for.

        Raises:
            ConfigurationError: it is neither kind of account, or lacks a part.
        """
        self._credentials = _credentials(account, subject)
        self._timeout_s = timeout_s
        self._renewal = asyncio.Lock()
        self._rejected: str | None = None

    async def token(self) -> str:
        """An access token that is good for some minutes at least.

        Raises:
            GoogleMeetRefused: Google does not take the account.
            GoogleMeetError: Google's token service cannot be reached.
        """
        async with self._renewal:
            if not self._credentials.valid or self._credentials.token == self._rejected:
                await asyncio.to_thread(self._renew)
            return str(self._credentials.token)

    def reject(self, token: str) -> None:
        """The API does not take this token: the next one is a new one."""
        self._rejected = token

    def _renew(self) -> None:
        request = partial(Request(), timeout=self._timeout_s)
        try:
            self._credentials.refresh(request)
        except RefreshError as error:
            kind = GoogleMeetError if error.retryable else GoogleMeetRefused
            raise kind(f"Google gives no access token: {error.args[0]}.") from error
        except GoogleAuthError as error:
            raise GoogleMeetError(f"Google's token service cannot be asked: {error}.") from error


def read_account(text: str | None, file: Path | None) -> Mapping[str, Any] | None:
    """The account that a setting holds (`text`), or else a file; None where there is neither.

    Raises:
        ConfigurationError: it cannot be read, or is no JSON object.
    """
    try:
        if text is None:
            if file is None:
                return None
            text = file.read_text(encoding="utf-8")
        account = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        # Of malformed JSON only the place is told: the text is a secret.
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise ConfigurationError(f"Google's credentials cannot be read: {place}.") from None
    if not isinstance(account, dict):
        raise ConfigurationError("Google's credentials must be a JSON object.")
    return account


def _credentials(account: Mapping[str, Any], subject: str | None) -> Any:
    kind = account.get("type")
    try:
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                account, scopes=[MEET_SCOPE], subject=subject
            )
        if kind == "authorized_user":
            return user_credentials.Credentials(  # type: ignore[no-untyped-call]
                token=None,
                refresh_token=account["refresh_token"],
                client_id=account["client_id"],
                client_secret=account["client_secret"],
                token_uri=account.get("token_uri", GOOGLE_TOKEN_URI),
                scopes=[MEET_SCOPE],
            )
    except (GoogleAuthError, KeyError, ValueError, TypeError, AttributeError):
        raise ConfigurationError(
            f"Google's credentials of type {kind} are incomplete or damaged."
        ) from None
    raise ConfigurationError(
        "Google's credentials must be of type service_account or authorized_user."
    )
