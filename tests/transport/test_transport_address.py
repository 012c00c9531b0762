"""Addresses of requests: what we read ourselves is what httpx reads, for each address that anybody may write."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncai._transport import address as module
from syncai._transport.address import PORTS, Address, address_of
from syncai._transport.wire_errors import InvalidRequest

ROOT = Path(__file__).resolve().parents[2]
ODD = [
    *('', ' ', 'http', 'http:', 'http://', 'http:///x', '//h.example/', 'h.example', 'h.example/', '/x', 'ftp://h/'),
    *(
        'HTTP://h.example:80/',
        'Https://h.example:443',
        'http://H.Example/A',
        'http://h.example:',
        'http://h.example:/x',
    ),
    *('http://h.example:0/', 'http://h.example:00080/', 'http://h.example:99999', 'http://h.example:123456/'),
    *('http://h.example:-1/', 'http://h.example:+80/', 'http://h.example:8_0/', 'http://h.example:x/', 'http://h: 80/'),
    *('https://h.example:443/v1', 'https://h.example:80/v1', 'http://h.example:443/v1', 'http://h.example:80?x'),
    *('http://127.0.0.1', 'http://127.0.0.1:8000/v1', 'http://127.1/', 'http://127.0.0.999/', 'http://01.2.3.4/'),
    *('http://1.2.3.4.5/', 'http://1234/', 'http://0x7f.0.0.1/', 'http://1.2.3./', 'http://1.2.3.4./', 'http://.../'),
    *(
        'http://[::1]:9/a',
        'http://[::1',
        'http://::1/',
        'http://[fe80::1%25eth0]/',
        'http://[::ffff:1.2.3.4]',
        'http://[x]',
    ),
    *(
        'http://bücher.example/ü?ö=ä',
        'http://xn--bcher-kva.example/',
        'http://xn--/',
        'http://a.xn--bcher-kva/',
        'http://☃/',
    ),
    *(
        'http://user:p%40ss@h.example/a',
        'http://user@h.example',
        'http://:p@h.example/',
        'http://@h.example/',
        'http://a@b@c',
    ),
    *(
        'http://h.example/a b',
        'http://h.example/a%20b',
        'http://h.example/%zz/%2',
        'http://h.example/%',
        'http://h.example/?%',
    ),
    *(
        'http://h.example/a/../b/./c',
        'http://h.example/..',
        'http://h.example/.well-known/x',
        'http://h.example/a..b/c.',
    ),
    *('http://h.example//x//', 'http://h.example/;a=b,c', 'http://h.example/a:b@c', "http://h.example/!$&'()*+,;=-._~"),
    *(
        'http://h.example?x',
        'http://h.example?',
        'http://h.example/?',
        'http://h.example/?a?b/../c',
        'http://h.example/?a#b',
    ),
    *(
        'http://h.example/#',
        'http://h.example#f',
        'http://h.example/{a}',
        'http://h.example/a|b\\c^d`e"f<g>h',
        'http://h/?{`}',
    ),
    *(
        'http://h.example/\n',
        'http://h.example\n',
        'http://h.example/\t',
        'http://h.example/\x7f',
        'http://h.example/\x00',
    ),
    *(
        'http://h_x.example/',
        'http://.example/',
        'http://h.example./',
        'http://a..b/',
        'http://-/',
        'http://~a/',
        'http://*/',
    ),
    *(
        'http://h%41/',
        'http://h!x/',
        'http://h.example:١٢/',
        'http://h.exampl\u0435/',
        'http://h.example/\ud800',
        'http://\ud800/',
    ),
    *(
        'http://h.example\\@x/',
        'http://h.example:80:80/',
        f'http://h.example/{"a" * 65519}',
        f'http://h.example/{"a" * 65520}',
    ),
]


def written_in_this_project() -> list[str]:
    """Every address in the package, its tests and its documentation."""
    places = [ROOT / 'syncai', ROOT / 'tests', ROOT / 'docs']
    texts = [path.read_text() for place in places for path in place.rglob('*') if path.suffix in ('.py', '.md')]
    return sorted({url for text in texts for url in re.findall(r'https?://[^\s\'"]+', text)})


def read_by_httpx(url: str) -> Address | str:
    """The address as httpx reads it, or the reason why it is none."""
    try:
        parsed = httpx.URL(url)
        if parsed.scheme not in PORTS or not parsed.host:
            return f'its address begins with {parsed.scheme or "nothing"!r}, not with http:// or https://'
    except (httpx.InvalidURL, UnicodeError) as error:
        return str(error)
    return Address(
        (parsed.scheme, parsed.raw_host.decode(), parsed.port or PORTS[parsed.scheme]),
        parsed.host,
        parsed.netloc.decode(),
        parsed.raw_path.decode(),
        (parsed.username, parsed.password) if parsed.userinfo else None,
    )


def read(url: str) -> Address | str:
    try:
        return address_of.__wrapped__(url)
    except InvalidRequest as error:
        return str(error)


@pytest.mark.parametrize('url', ODD, ids=lambda url: ascii(url[:40]))
def test_odd_addresses_are_read_as_httpx_reads_them(url: str) -> None:
    assert read(url) == read_by_httpx(url)


def test_each_address_of_this_project_is_read_as_httpx_reads_it() -> None:
    urls = written_in_this_project()
    assert len(urls) > 300
    assert [url for url in urls if read(url) != read_by_httpx(url)] == []


PIECES = st.sampled_from(
    [
        *'aZ09-._~!$&\'()*+,;=:@/?#[]%{}|\\^`"<> \t\né☃',
        '..',
        '//',
        '%20',
        '%zz',
        'xn--',
        '127.0.0.1',
        ':80',
        ':443',
        'h.example',
    ]
)
HOSTS = st.one_of(st.sampled_from(['h.example', '127.0.0.1', '[::1]']), st.lists(PIECES, max_size=5).map(''.join))
URLS = st.builds(
    lambda scheme, host, port, rest: f'{scheme}{host}{port}{rest}',
    st.sampled_from(['http://', 'https://', 'HTTP://', 'http:', '']),
    HOSTS,
    st.sampled_from(['', ':', ':80', ':443', ':8000', ':0', ':x']),
    st.lists(PIECES, max_size=12).map(''.join),
)


@settings(max_examples=600, deadline=None)
@example('//xn--')
@given(URLS)
def test_any_address_is_read_as_httpx_reads_it(url: str) -> None:
    assert read(url) == read_by_httpx(url)


@pytest.mark.parametrize(
    'url',
    [
        'https://api.openai.com/v1/chat/completions',
        'https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
        'https://my-name.openai.azure.com/openai/deployments/d/chat/completions?api-version=2025-01-01',
        'https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v1%3A0/converse-stream',
        'http://127.0.0.1:11434/v1/chat/completions',
        'http://localhost:8000/v1/messages',
    ],
)
def test_usual_addresses_need_no_httpx(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, '_read_by_httpx', None)
    assert read(url) == read_by_httpx(url)


def test_the_repr_shows_no_key() -> None:
    assert repr(address_of('https://name:word@h.example/v1?key=secret')) == 'Address(h.example)'
