"""Requests signed for AWS (SigV4) with botocore: its chain of credentials, and its signer."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from ..._bridge import call_in_thread
from ...exceptions import AuthenticationError, MissingKeyError, ModelConnectionError, UserError

if TYPE_CHECKING:
    from ..._transport.request import HttpRequest

LOGIN = (
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or AWS_BEARER_TOKEN_BEDROCK, '
    'or pass profile=..., credentials=... or api_key=...'
)
"""The ways to pay, in words for an error."""

_SIGNED = ('content-type', 'x-amz-')  # prefixes of header names; proxies may change other headers
_SERVICE = 'bedrock'


class AwsCredentials(Protocol):
    """The interface of credentials of botocore and boto3."""

    def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token, fetched again if they have expired."""


class AwsSigner:
    """Signs requests with credentials, which are fetched on first use and again before they expire.

    Args:
        region: The region of the service.
        profile: The profile of the configuration files; None takes `AWS_PROFILE`, else the default one.
        credentials: The credentials; None for those that botocore finds.

    Raises:
        UserError: botocore is not installed.
    """

    def __init__(self, region: str, profile: str | None, credentials: AwsCredentials | None) -> None:
        check_installed()
        for module in ('botocore.auth', 'botocore.awsrequest'):  # here, off the loop thread
            import_module(module)
        self._region = region
        self._profile = profile
        # Written by a worker thread under the lock of its loop; there is one loop at a time, a new one after a fork.
        self._credentials: Any = credentials
        self._given_id = None if credentials is None else id(credentials)
        self._locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()

    @property
    def account(self) -> int:
        """A number that is equal for models with the same credentials."""
        return hash((self._region, self._profile, self._given_id))

    async def headers(self, request: HttpRequest) -> dict[str, str]:
        """The headers of the request with its signature.

        Raises:
            MissingKeyError: There are no credentials.
            AuthenticationError: AWS refused the configured credentials.
            ModelConnectionError: The source of the credentials could not be reached.
        """
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            # Those of roles and single sign-on are fetched over the network, those of files read from disk.
            keys = await call_in_thread(self._keys, request.context) if self._may_wait() else self._frozen()
        if isinstance(keys, Exception):
            raise keys
        return self._signed(request, keys)

    def _may_wait(self) -> bool:
        refresh_needed = getattr(self._credentials, 'refresh_needed', None)
        return self._credentials is None or (refresh_needed is not None and bool(refresh_needed()))

    def _frozen(self) -> Any:
        return self._credentials.get_frozen_credentials()

    def _keys(self, context: dict[str, Any]) -> Any:
        """In a worker thread: the keys, or an error without botocore's own errors in it."""
        errors: Any = import_module('botocore.exceptions')
        try:
            if self._credentials is None:
                self._credentials = session(self._profile).get_credentials()
            if self._credentials is None:
                return MissingKeyError(f'No credentials for Amazon Bedrock: {LOGIN}')
            return self._frozen()
        except (errors.ProfileNotFound, errors.PartialCredentialsError, errors.ConfigParseError) as error:
            return MissingKeyError(f'No credentials for Amazon Bedrock ({error}): {LOGIN}')
        except (errors.HTTPClientError, errors.MetadataRetrievalError) as error:
            return ModelConnectionError(f'cannot fetch credentials of AWS: {error}', **context)
        except (errors.BotoCoreError, errors.ClientError) as error:
            return AuthenticationError(401, body=str(error), hint=f'AWS gave no credentials: {LOGIN}', **context)

    def _signed(self, request: HttpRequest, keys: Any) -> dict[str, str]:
        auth: Any = import_module('botocore.auth')
        requests: Any = import_module('botocore.awsrequest')
        to_sign = {name: value for name, value in request.headers.items() if name.startswith(_SIGNED)}
        aws_request = requests.AWSRequest(method=request.method, url=request.url, data=request.body, headers=to_sign)
        auth.SigV4Auth(keys, _SERVICE, self._region).add_auth(aws_request)
        return {**request.headers, **{name.lower(): value for name, value in aws_request.headers.items()}}


def session(profile: str | None) -> Any:
    """A session of botocore, which reads the environment and the configuration files.

    Raises:
        UserError: botocore is not installed.
    """
    check_installed()
    return import_module('botocore.session').Session(profile=profile)


def check_installed() -> None:
    """Raise UserError unless botocore is there.

    Raises:
        UserError: It is missing; names the extra.
    """
    if find_spec('botocore') is None:
        raise UserError("bedrock without a bearer key needs botocore: pip install 'syncai-client[bedrock]'")


def region_of_profile(profile: str | None) -> str | None:
    """The region in the configuration files, or None.

    Raises:
        UserError: There is no such profile.
    """
    if find_spec('botocore') is None:
        return None
    errors: Any = import_module('botocore.exceptions')
    try:
        region: Mapping[str, Any] | str | None = session(profile).get_config_variable('region')
    except (errors.ProfileNotFound, errors.ConfigParseError) as error:
        raise UserError(f'The configuration of AWS cannot be used: {error}') from None
    return region if isinstance(region, str) else None
