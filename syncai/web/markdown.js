'use strict';
/* Markdown as elements. Text of the model is only ever put into text nodes: no HTML of it, and no address but these. */
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

const SAFE_ADDRESS = /^(?:https?:\/\/|mailto:)/i;
const SPECIAL = /[\\`*_~[\]!<&\n]|https?:\/\//g, ESCAPED = /\\([!-/:-@[-`{-~])/y;
const ENTITY = /&(?:#x[\da-f]{1,6}|#\d{1,7}|[a-z][\da-z]{1,31});/iy, ANGLED = /<((?:https?:\/\/|mailto:)[^\s<>]*)>/iy;
const BARE = /https?:\/\/[^\s<>"'`\\]+/iy;
const TARGET = /\(\s*(?:<([^<>\n]*)>|((?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.)*\))*))(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)/y;
const decoder = document.createElement('textarea');  // never shown; what it reads as HTML is one entity

const matchAt = (pattern, text, at) => { pattern.lastIndex = at; return pattern.exec(text); };
const unescaped = (text) => text.replace(/\\([!-/:-@[-`{-~])/g, '$1');

function linked(link, address) {
  link.href = address;
  link.rel = 'noopener noreferrer nofollow ugc';
  link.target = '_blank';
  return link;
}

/* The marks of emphasis and brackets stay text until what closes them has come, as CommonMark has it. */
class Inline {
  constructor(parent, text) {
    this.parent = parent;
    this.text = text;
    this.marks = [];
    this.brackets = [];
    this.unclosed = new Set();
  }
  read() {
    const { text } = this;
    for (let at = 0; at < text.length;) {
      SPECIAL.lastIndex = at;
      const special = SPECIAL.exec(text), next = special ? special.index : text.length;
      if (next > at) this.put(text.slice(at, next));
      at = special ? this.special(next, special[0]) : next;
    }
    this.emphasise(0);
    this.parent.normalize();
  }
  put(text) { return this.parent.appendChild(document.createTextNode(text)); }
  literal(at, text) { this.put(text); return at + text.length; }
  special(at, sign) {
    const { text } = this;
    switch (sign) {
      case '\n': return this.lineEnd(at);
      case '\\': {
        if (text[at + 1] === '\n') { this.parent.append(element('br')); return at + 2; }
        const escaped = matchAt(ESCAPED, text, at);
        this.put(escaped ? escaped[1] : '\\');
        return at + (escaped ? 2 : 1);
      }
      case '`': return this.code(at);
      case '&': {
        const entity = matchAt(ENTITY, text, at);
        if (!entity) return this.literal(at, '&');
        decoder.innerHTML = entity[0];
        this.put(decoder.value);
        return at + entity[0].length;
      }
      case '<': {
        const address = matchAt(ANGLED, text, at);
        if (!address) return this.literal(at, '<');
        this.parent.append(linked(element('a', address[1]), address[1]));
        return at + address[0].length;
      }
      case '!': if (text[at + 1] !== '[') return this.literal(at, '!');  // falls through
      case '[': {
        const opening = text[at] === '!' ? '![' : '[';
        this.brackets.push({ node: this.put(opening), marks: this.marks.length });
        return at + opening.length;
      }
      case ']': return this.bracket(at);
      case '*': case '_': case '~': return this.mark(at, sign);
      default: return this.bare(at);
    }
  }
  lineEnd(at) {
    const last = this.parent.lastChild;
    if (last?.nodeType === Node.TEXT_NODE) {
      if (/ {2,}$/.test(last.data)) this.parent.append(element('br'));
      last.data = last.data.trimEnd();
    }
    return this.literal(at, '\n');
  }
  code(at) {
    const run = matchAt(/`+/y, this.text, at)[0], from = at + run.length;
    for (let end = from; !this.unclosed.has(run.length);) {
      end = this.text.indexOf(run, end);
      if (end < 0) { this.unclosed.add(run.length); break; }
      const other = matchAt(/`+/y, this.text, end)[0].length;
      if (other === run.length) {
        const code = this.text.slice(from, end).replaceAll('\n', ' ');
        this.parent.append(element('code', /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code));
        return end + run.length;
      }
      end += other;
    }
    return this.literal(at, run);
  }
  mark(at, sign) {
    const run = matchAt(/\*+|_+|~+/y, this.text, at)[0], total = run.length;
    const before = this.text[at - 1] ?? ' ', after = this.text[at + total] ?? ' ';
    const apart = [before, after].map((one) => /\s/.test(one)), punctuation = [before, after].map((one) => /[\p{P}\p{S}]/u.test(one));
    const left = !apart[1] && (!punctuation[1] || apart[0] || punctuation[0]), right = !apart[0] && (!punctuation[0] || apart[1] || punctuation[1]);
    const node = this.put(run);
    if (sign !== '~' || total === 2) {
      const opens = left && (sign !== '_' || !right || punctuation[0]), closes = right && (sign !== '_' || !left || punctuation[1]);
      this.marks.push({ node, sign, total, count: total, opens, closes });
    }
    return at + total;
  }
  emphasise(bottom) {
    const { marks } = this, floors = {};
    for (let at = bottom; at < marks.length; at++) {
      const closer = marks[at];
      if (!closer.closes || !closer.count) continue;
      const key = `${closer.sign}${closer.opens}${closer.total % 3}`;
      let other = at - 1;
      const floor = Math.max(bottom, floors[key] ?? 0);
      while (other >= floor && !this.pairs(marks[other], closer)) other--;
      if (other < floor) { floors[key] = at; continue; }
      this.wrap(marks[other], closer);
      marks.splice(other + 1, at - other - 1);
      at = closer.count ? other : other + 1;
    }
    marks.length = bottom;
  }
  pairs(opener, closer) {
    if (opener.sign !== closer.sign || !opener.opens || !opener.count) return false;
    const sum = opener.total + closer.total;
    return !((opener.closes || closer.opens) && sum % 3 === 0 && (opener.total % 3 || closer.total % 3));
  }
  wrap(opener, closer) {
    const two = opener.count > 1 && closer.count > 1;
    const place = element(opener.sign === '~' ? 's' : two ? 'strong' : 'em');
    while (opener.node.nextSibling !== closer.node) place.append(opener.node.nextSibling);
    opener.node.after(place);
    for (const one of [opener, closer]) {
      one.count -= two ? 2 : 1;
      one.node.data = one.sign.repeat(one.count);
    }
  }
  bracket(at) {
    const open = this.brackets.pop();
    const target = open && matchAt(TARGET, this.text, at + 1), address = target && unescaped(target[1] ?? target[2]);
    if (!target || !SAFE_ADDRESS.test(address)) return this.literal(at, ']' + (target ? target[0] : ''));
    this.emphasise(open.marks);
    const link = linked(element('a'), address);
    while (open.node.nextSibling) link.append(open.node.nextSibling);
    for (const inner of link.querySelectorAll('a')) inner.replaceWith(...inner.childNodes);
    if (!link.textContent) link.append(address);
    if (open.node.data === '[') this.brackets = this.brackets.filter((one) => one.node.data !== '[');
    open.node.replaceWith(link);
    return at + 1 + target[0].length;
  }
  bare(at) {
    let address = matchAt(BARE, this.text, at)?.[0] ?? '';
    for (;;) {
      const shorter = address.replace(/[?!.,:;*_~\]]+$|&[a-z\d]+;$/i, '');
      const unbalanced = shorter.endsWith(')') && shorter.split(')').length > shorter.split('(').length;
      const next = unbalanced ? shorter.slice(0, -1) : shorter;
      if (next === address) break;
      address = next;
    }
    if (!/^https?:\/\/[^/]/i.test(address)) return this.literal(at, this.text[at]);
    this.parent.append(linked(element('a', address), address));
    return at + address.length;
  }
}
const inline = (parent, text) => { new Inline(parent, text.trim()).read(); return parent; };

/* Blocks, by lines. An unfinished one is shown as what it will be: an open fence as code, a list with its last item. */
const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/, ITEM = /^ {0,3}([-*+]|\d{1,9}[.)])(?= |$)/, RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const HEADING = /^ {0,3}(#{1,6})(?: (.*))?$/, QUOTE = /^ {0,3}> ?/, UNDERLINE = /^ {0,3}(?:=+|-{2,}) *$/;
const COLUMNS = /^\|? *:?-+:? *(?:\| *:?-+:? *)*\|?$/;
const closing = (mark) => new RegExp(`^ {0,3}${mark[0]}{${mark.length},} *$`);
const indent = (line) => line.search(/[^ ]|$/), blank = (line) => !line.trim();
const cells = (line) => line.trim().replace(/^\||(?<!\\)\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
const begins = (line) => [FENCE, ITEM, RULE, HEADING, QUOTE].some((pattern) => pattern.test(line));
/* What a line ends the paragraph before it with: of a list only an item with words, and the first number. */
const interrupts = (line) => begins(line) && (!ITEM.test(line) || RULE.test(line) || /^ {0,3}(?:[-*+]|1[.)]) +\S/.test(line));
const isTable = (lines, at) => {
  const [head, columns = ''] = [lines[at], lines[at + 1]];
  return head.includes('|') && columns.includes('-') && COLUMNS.test(columns.trim()) && cells(head).length === cells(columns).length;
};
const contentOf = (line) => { const rest = line.replace(/^ *\S+/, ''), gap = indent(rest); return line.length - rest.length + (gap > 4 || blank(rest) ? 1 : gap); };

function kindOf(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return 'fence';
  if (HEADING.test(line)) return 'heading';
  if (RULE.test(line)) return 'rule';
  if (QUOTE.test(line)) return 'quote';
  if (ITEM.test(line)) return 'list';
  return indent(line) >= 4 ? 'code' : isTable(lines, at) ? 'table' : 'paragraph';
}

function blocks(lines) {
  const all = [];
  for (let at = 0; at < lines.length;) {
    if (blank(lines[at])) { at++; continue; }
    const from = at, kind = kindOf(lines, at);
    const block = { kind, gap: from > 0 && blank(lines[from - 1]) };
    at = endOf[kind](lines, from, block);
    all.push(Object.assign(block, { lines: lines.slice(from, at) }));
  }
  return all;
}
const past = (lines, at, goesOn) => { while (at < lines.length && goesOn(lines[at], at)) at++; return at; };
const endOf = {
  heading: (_, from) => from + 1,
  rule: (_, from) => from + 1,
  table: (lines, from) => past(lines, from + 2, (line) => !blank(line) && !begins(line)),
  code: (lines, from) => {
    let end = past(lines, from + 1, (line) => blank(line) || indent(line) >= 4);
    while (blank(lines[end - 1])) end--;
    return end;
  },
  fence: (lines, from) => {
    const end = closing(FENCE.exec(lines[from])[1]);
    return Math.min(past(lines, from + 1, (line) => !end.test(line)) + 1, lines.length);
  },
  quote: (lines, from) => past(lines, from + 1, (line, at) => QUOTE.test(line) || (
    !blank(line) && !begins(line) && !blank(lines[at - 1].replace(QUOTE, '')) && !FENCE.test(lines[at - 1].replace(QUOTE, '')))),
  paragraph: (lines, from, block) => {
    const end = past(lines, from + 1, (line, at) => !blank(line) && !UNDERLINE.test(line) && !interrupts(line) && !isTable(lines, at));
    if (end >= lines.length || !UNDERLINE.test(lines[end])) return end;
    block.kind = 'title';
    return end + 1;
  },
  list: (lines, from) => {
    const sort = ITEM.exec(lines[from])[1].at(-1);
    let content = contentOf(lines[from]), at = from + 1;
    for (; at < lines.length; at++) {
      const line = lines[at], mark = ITEM.exec(line);
      if (blank(line) || indent(line) >= content) continue;
      if (RULE.test(line)) break;
      if (mark && (mark[1].at(-1) === sort)) { content = contentOf(line); continue; }
      if (mark && indent(line) >= 2) continue;  // a list in an item, with fewer spaces than it should have
      if (begins(line) || blank(lines[at - 1])) break;
    }
    while (blank(lines[at - 1])) at--;
    return at;
  },
};

function list(lines) {
  const first = ITEM.exec(lines[0])[1], sort = first.at(-1), ordered = /\d/.test(first), items = [];
  let content = 0;
  for (const line of lines) {
    const mark = ITEM.exec(line);
    if (mark && mark[1].at(-1) === sort && (!items.length || indent(line) < content)) {
      content = contentOf(line);
      items.push([line.slice(content)]);
    } else items.at(-1).push(line.slice(Math.min(indent(line), content)));
  }
  const parsed = items.map(blocks);
  const loose = items.some((item, at) => at < items.length - 1 && blank(item.at(-1)) && item.length > 1) || parsed.some((item) => item.some(({ gap }, at) => at && gap));
  const made = element(ordered ? 'ol' : 'ul');
  if (ordered && parseInt(first, 10) !== 1) made.start = parseInt(first, 10);
  for (const item of parsed) {
    const entry = made.appendChild(element('li')), words = item[0]?.kind === 'paragraph' ? item[0].lines : [''];
    const task = /^\[([ xX])\] /.exec(words[0]);
    if (task) { words[0] = words[0].slice(4); entry.className = 'task'; entry.append(task[1] === ' ' ? '☐ ' : '☑ '); }
    for (const one of item) if (one.kind === 'paragraph' && !loose) entry.append(...inline(element('p'), one.lines.join('\n')).childNodes); else entry.append(block(one));
    entry.dir = 'auto';
  }
  return made;
}

function table(lines) {
  const made = element('table'), head = made.createTHead().insertRow(), body = made.createTBody(), titles = cells(lines[0]);
  const sides = cells(lines[1]).map((cell) => (cell.endsWith(':') ? (cell.startsWith(':') ? 'center' : 'end') : ''));
  const fill = (cell, text, at) => { cell.dir = 'auto'; cell.style.textAlign = sides[at]; inline(cell, text); };
  titles.forEach((text, at) => { const cell = head.appendChild(element('th')); cell.scope = 'col'; fill(cell, text, at); });
  for (const line of lines.slice(2)) {
    const row = body.insertRow(), words = cells(line);
    titles.forEach((_, at) => fill(row.insertCell(), words[at] ?? '', at));
  }
  const place = element('div', undefined, 'wide');
  place.tabIndex = 0;
  place.append(made);
  return place;
}

function code(text, language) {
  const made = element('div', undefined, 'code'), box = made.appendChild(element('pre')), words = box.appendChild(element('code', text));
  const copy = made.appendChild(element('button', 'Copy'));
  if (/^[\w+#.-]+$/.test(language)) words.className = `language-${language}`;
  box.tabIndex = 0;  // so that a long line is scrolled by keys too
  box.dir = 'ltr';
  copy.type = 'button';
  copy.onclick = () => navigator.clipboard.writeText(text).then(() => { copy.textContent = 'Copied'; });
  return made;
}

function block({ kind, lines }) {
  const made = blockOf(kind, lines);
  if (/^(?:P|H\d|BLOCKQUOTE|UL|OL)$/.test(made.tagName)) made.dir = 'auto';
  return made;
}
function blockOf(kind, lines) {
  switch (kind) {
    case 'heading': { const [, signs, words] = HEADING.exec(lines[0]); return inline(element(`h${Math.min(signs.length + 1, 6)}`), (words ?? '').trim().replace(/(?:^| )#+$/, '')); }
    case 'title': return inline(element(/=/.test(lines.at(-1)) ? 'h2' : 'h3'), lines.slice(0, -1).join('\n'));
    case 'rule': return element('hr');
    case 'list': return list(lines);
    case 'table': return table(lines);
    case 'code': return code(lines.map((line) => line.slice(4)).join('\n'), '');
    case 'fence': {
      const [, mark] = FENCE.exec(lines[0]), deep = indent(lines[0]), closed = lines.length > 1 && closing(mark).test(lines.at(-1));
      const inner = lines.slice(1, closed ? -1 : undefined).map((line) => line.slice(Math.min(indent(line), deep)));
      return code(inner.join('\n'), lines[0].trim().slice(mark.length).trim().split(' ')[0]);
    }
    case 'quote': {
      const made = element('blockquote');
      made.append(...blocks(lines.map((line) => line.replace(QUOTE, ''))).map(block));
      return made;
    }
    default: return inline(element('p'), lines.map((line) => line.trimStart()).join('\n'));
  }
}

const spaced = (lead) => [...lead].reduce((line, one) => line + (one === '\t' ? ' '.repeat(4 - (line.length % 4)) : one), '');

/* Only the blocks that have changed are made anew while an answer grows. */
function render(target, text) {
  const lines = text.replace(/\r\n?/g, '\n').split('\n').map((line) => line.replace(/^[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?/, spaced));
  const all = blocks(lines), sources = all.map(({ kind, lines: own }) => `${kind}\n${own.join('\n')}`);
  target.sources ??= [];
  all.forEach((one, at) => {
    if (target.sources[at] === sources[at]) return;
    const made = block(one);
    if (target.children[at]) target.children[at].replaceWith(made); else target.append(made);
  });
  while (target.children.length > sources.length) target.lastChild.remove();
  target.sources = sources;
}
