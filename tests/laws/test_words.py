"""Words that this project does not use, in the package, its tests and its documents.

Each had several meanings, or is no term of the field; CONTRIBUTING.md has the glossary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
READ = [
    *(ROOT / 'syncai').rglob('*.py'),
    *(ROOT / 'benchmarks').rglob('*.py'),
    *(path for path in (ROOT / 'tests').rglob('*.py') if path.parent.name != 'laws'),  # these list the words
    *(ROOT / 'docs').rglob('*.md'),
    ROOT / 'README.md',
    ROOT / 'CHANGELOG.md',
    ROOT / 'CONTRIBUTING.md',
    ROOT / 'SECURITY.md',
    *(ROOT / 'benchmarks').rglob('*.md'),
    *(ROOT / '.github').rglob('*.md'),
    ROOT / 'Makefile',
]
BANNED = {
    r'tell|tells|told|telling': 'report, pass, show, or the name of the thing',
    r'whoever|who waits': 'the caller, the consumer',
    r'heed\w*': 'follow, keep',
    r'dear': 'expensive',
    r'mend(?:ed|s|ing)?': 'fix, correct',
    r'in truth|be it that': 'leave it out',
    r'so many|so much': 'the number',
    r'of our own|of ours': 'leave it out, or name the owner',
    r'nothing, (?:when|while)': 'Raise UserError unless ...',
    r'in peace': 'a pause',
    r'reckon\w*': 'count, assume, estimate',
    r'shall|whom|seldom': 'is to, which, rarely',
    r'now and then|once in a while': 'at intervals',
    r'anew|for ever|here and now': 'again, forever, now',
    r'makes? no sense': 'cannot be used',
    r'those who|all who|for who|by who': 'the callers, the tasks, the threads',
    r'of no account|of elsewhere': 'does not matter, from elsewhere',
}
ANY = re.compile(rf'\b(?:{"|".join(BANNED)})\b', re.IGNORECASE)
GLOSSARY = re.compile(r'^.*\bbanned\b.*$', re.IGNORECASE | re.MULTILINE)  # the line that lists them


def words_in(path: Path) -> Iterator[str]:
    text = GLOSSARY.sub('', path.read_text()).replace('.tell()', '.position()')  # of a file
    if not ANY.search(text):
        return
    for pattern, better in BANNED.items():
        for match in re.finditer(rf'\b(?:{pattern})\b', text, re.IGNORECASE):
            line = text.count('\n', 0, match.start()) + 1
            yield f'{path.relative_to(ROOT)}:{line}: {match[0]!r}; better: {better}'


def test_no_banned_word() -> None:
    assert [line for path in READ for line in words_in(path)] == []


def test_the_list_matches(tmp_path: Path) -> None:
    assert [match[0] for pattern in BANNED for match in re.finditer(rf'\b(?:{pattern})\b', 'It was told so many')] == [
        'told',
        'so many',
    ]
