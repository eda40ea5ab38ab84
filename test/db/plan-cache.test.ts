import { expect } from 'chai';
import type { Plan } from '../../src/domain/plan.ts';
import { parseBlueprint } from '../../src/dsl/parse.ts';
import type { ImportResolver } from '../../src/dsl/parse.ts';
import { deleteBlueprint, updateBlueprint } from '../../src/store/blueprints.ts';
import type { Database } from '../../src/store/database.ts';
import { PlanCache } from '../../src/store/plan-cache.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addBlueprint } from './samples.ts';

describe('plans in the cache', () => {
  let test: TestDatabase;
  let database: Database;
  let plan: Plan;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    const nothing: ImportResolver = {
      fetch: async () => {
        throw new Error('Nothing is imported');
      },
      locateFile: async () => undefined,
      resourceExists: async () => false,
    };
    plan = await parseBlueprint({
      text: 'tosca_definitions_version: cloudify_dsl_1_5\nnode_types: {a: {}}\nnode_templates: {x: {type: a}}\n',
      resolver: nothing,
    });
  });
  after(() => test.close());

  it('are read once, until the blueprint changes or goes', async () => {
    const cache = new PlanCache();
    const { storageId } = await addBlueprint(database);
    expect(await cache.load(database, storageId)).to.equal(undefined);
    await updateBlueprint(database, storageId, { plan });
    const first = await cache.load(database, storageId);
    expect(first?.nodes.map(({ id }) => id)).to.deep.equal(['x']);
    expect(await cache.load(database, storageId)).to.equal(first);
    await updateBlueprint(database, storageId, { plan: { ...plan, description: 'another' } });
    expect((await cache.load(database, storageId))?.description).to.equal('another');
    await deleteBlueprint(database, storageId);
    expect(await cache.load(database, storageId)).to.equal(undefined);
  });
});
