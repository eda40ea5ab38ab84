import { expect } from 'chai';
import { countRoles } from '../../src/store/measures.ts';
import { beat } from '../../src/store/processes.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';

describe('measures of the store', () => {
  let test: TestDatabase;

  before(async () => {
    test = await createTestDatabase({ poolSize: 1 });
  });
  after(() => test?.close());

  it('count living processes by role, with 0 for roles that no process has', async () => {
    await beat(test.database, { name: 'one', roles: ['rest', 'executor'] });
    await beat(test.database, { name: 'two', roles: ['rest'] });
    await beat(test.database, { name: 'dead', roles: ['scheduler'] });
    await test.database.query(`update processes set last_seen = now() - interval '1 hour' where name = 'dead'`);
    expect(await countRoles(test.database, 10)).to.deep.equal({
      rest: 2,
      executor: 1,
      broker: 0,
      recorder: 0,
      scheduler: 0,
    });
  });
});
