"""Addresses of deployments of Azure OpenAI: the v1 form, and the older one with a version; pure."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode

from ...exceptions import UserError

_DEPLOYMENTS = '/openai/deployments/'


def version_in(query: str) -> tuple[str | None, str]:
    """The version in the query of an address, as the portal shows it, and the rest of the query."""
    fields = parse_qsl(query, keep_blank_values=True)
    version = next((value for name, value in fields if name == 'api-version'), None)
    return version, query if version is None else urlencode([field for field in fields if field[0] != 'api-version'])


def deployment_address(endpoint: str, deployment: str, version: str | None) -> tuple[str, str]:
    """The base URL and the path of Chat Completions of one deployment.

    Args:
        endpoint: The address of the resource (`https://name.openai.azure.com`), of its v1 API (`.../openai/v1`) or of
            a deployment (`.../openai/deployments/name`).
        deployment: The name of the deployment.
        version: The `api-version` of the older form; None for the v1 form.

    Raises:
        UserError: The parts do not fit together.
    """
    root, _, name = endpoint.partition(_DEPLOYMENTS)
    if name.strip('/') not in ('', deployment):
        raise UserError(f'base_url is of the deployment {name!r}, and the model is named {deployment!r}')
    if root.endswith('/v1'):
        if version:
            raise UserError(f'{endpoint} is the v1 API of Azure OpenAI, which takes no api_version: leave it out')
        return root, '/chat/completions'
    root = root.removesuffix('/openai')
    if version:
        path = f'/chat/completions?api-version={quote(version, safe="")}'
        return f'{root}{_DEPLOYMENTS}{quote(deployment, safe="")}', path
    if name:
        raise UserError('A deployment of Azure OpenAI in base_url needs a version: pass api_version=...')
    return f'{root}/openai/v1', '/chat/completions'
