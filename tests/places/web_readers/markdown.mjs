// node markdown.mjs FOLDER: a JSON list of texts on its input, and on its output a list of the HTML that markdown-it makes of them.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const find = createRequire(pathToFileURL(`${process.argv[2]}/package.json`));
const module = await import(pathToFileURL(find.resolve('markdown-it')));
const markdown = (module.default ?? module.MarkdownIt)({ html: false, linkify: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map((text) => markdown.render(text))));
