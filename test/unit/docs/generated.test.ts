import { expect } from 'chai';
import { outdatedPages } from '../../tools/generate-docs.ts';

describe('generated documentation', () => {
  it('says what the tables in the code say (else run `npm run docs`)', async () => {
    expect(await outdatedPages(new URL('../../../', import.meta.url))).to.deep.equal([]);
  });
});
