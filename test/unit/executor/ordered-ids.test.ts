import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { orderedIds } from '../../../src/executor/ordered-ids.ts';

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('ids in the order they are made', () => {
  it('are version 7 UUIDs with the time they were made at', () => {
    const id = orderedIds({ now: () => Date.UTC(2026, 0, 1) }, randomUUID)();
    expect(id).to.match(shape);
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).to.equal(Date.UTC(2026, 0, 1));
  });

  for (const [name, clock] of [
    ['one moment', () => 1000],
    ['passing time', (index: number) => 1000 + Math.floor(index / 7)],
    ['a clock that is put back', (index: number) => (index === 0 ? 5000 : 1000)],
  ] as const) {
    it(`grow and differ, whatever their number: ${name}`, () => {
      let index = 0;
      const newId = orderedIds({ now: () => clock(index++) }, randomUUID);
      const ids = Array.from({ length: 10_000 }, () => newId());
      expect(ids).to.deep.equal(ids.toSorted());
      expect(new Set(ids).size).to.equal(ids.length);
      expect(ids.every((id) => shape.test(id))).to.equal(true);
    });
  }
});
