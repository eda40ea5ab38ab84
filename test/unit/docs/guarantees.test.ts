import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { testTitles } from '../../kit/test-titles.ts';

const root = new URL('../../../', import.meta.url);
const page = new URL('docs/guarantees.md', root);
const numberOfPromises = 136;

interface Promised {
  number: number;
  text: string;
  tests: { title: string; file: URL }[];
}

function readPromises(markdown: string): Promised[] {
  return [...markdown.matchAll(/^\| (\d+) \| (.+?) \| (.*) \|$/gm)].map(([, number, text, cell]) => ({
    number: Number(number),
    text: text ?? '',
    tests: [...(cell ?? '').matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, title = '', path = '']) => ({
      title,
      file: new URL(path, page),
    })),
  }));
}

describe('the page of guarantees', () => {
  const promises = readPromises(readFileSync(page, 'utf8'));

  it('numbers its promises without a gap', () => {
    expect(promises.map(({ number }) => number)).to.deep.equal(
      Array.from({ length: numberOfPromises }, (_, index) => index + 1),
    );
  });

  it('names tests that exist, at least one for every promise', () => {
    const known = new Map<string, ReadonlySet<string>>();
    const titlesIn = (file: URL): ReadonlySet<string> => {
      const titles = known.get(file.href) ?? testTitles(readFileSync(file, 'utf8'));
      known.set(file.href, titles);
      return titles;
    };
    const missing = promises.flatMap(({ number, tests }) =>
      tests.length === 0
        ? [`${number}: no test`]
        : tests
            .filter(({ file, title }) => !titlesIn(file).has(title))
            .map(({ file, title }) => `${number}: "${title}" is not in ${file.pathname.slice(root.pathname.length)}`),
    );
    expect(missing).to.deep.equal([]);
  });

  it('says something else with every promise', () => {
    expect(new Set(promises.map(({ text }) => text)).size).to.equal(promises.length);
  });
});

describe('titles of tests', () => {
  it('are those of `describe` and `it`, with the texts of the table where they come out of one', () => {
    const source = `
      describe('a', () => {
        it('one', () => {});
        describe('b', function () {
          for (const [title] of [['out of a table', 1], ['short']]) {
            it(title, () => expect('in a test'));
          }
        }).timeout(1);
        it.skip('left out', () => {});
      });
      it('alone', () => {});
      it(\`made \${up}\`, () => {});
      describe(\`made \${up}\`, () => it('unknown', () => {}));`;
    expect([...testTitles(source)]).to.deep.equal(['a: one', 'a: b: out of a table', 'alone']);
  });
});
