import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { drawTable } from '../../../src/cli/table.ts';

const cell = fc.string({ unit: fc.constantFrom(...'abcdefghij 0123456789-_'), maxLength: 60 });
const tables = fc.integer({ min: 1, max: 8 }).chain((width) =>
  fc.record({
    titles: fc.array(fc.string({ unit: fc.constantFrom(...'abcdef'), minLength: 1, maxLength: 10 }), {
      minLength: width,
      maxLength: width,
    }),
    rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 }),
  }),
);

/** What a person reads, whatever lines it stands in. */
function letters(drawn: string): string {
  return [...stripVTControlCharacters(drawn).replaceAll(/[^a-z0-9_-]/g, '')].sort().join('');
}

describe('tables', () => {
  it('fit the screen, or show row by row what cannot', () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 20, max: 150 }), ({ titles, rows }, columns) => {
        const lines = stripVTControlCharacters(drawTable(titles, rows, columns).text).split('\n');
        const isTable = lines[0]?.startsWith('┌') === true;
        expect(isTable ? Math.max(...lines.map((line) => line.length)) : 0).to.be.at.most(columns);
      }),
    );
  });

  it('lose nothing when they are made narrower but the columns they say', () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 20, max: 150 }), ({ titles, rows }, columns) => {
        const { text: narrow, hidden } = drawTable(titles, rows, columns);
        fc.pre(narrow.includes('┌'));
        const count = titles.length - hidden.length;
        expect(hidden).to.deep.equal(titles.slice(count));
        const shown = [titles, ...rows].map((row) => row.slice(0, count));
        expect(letters(narrow)).to.equal(letters(shown.flat().join(' ')));
      }),
    );
  });

  it('keep the names of rows in one piece', () => {
    const id = '3f0c1d2e-7424-48f8-af40-fc25515b2835';
    const drawn = drawTable(['id', 'error'], [[id, 'the port is taken by another process, '.repeat(6)]], 80).text;
    expect(drawn).to.contain(id);
    expect(Math.max(...drawn.split('\n').map((line) => stripVTControlCharacters(line).length))).to.equal(80);
  });

  it('are as wide as their texts in files and pipes', () => {
    expect(drawTable(['id'], [['x'.repeat(300)]], undefined).text).to.contain('x'.repeat(300));
  });
});
