import { expect } from 'chai';
import type { Deployment } from '../../src/domain/entities.ts';
import {
  createBlueprint,
  deleteBlueprint,
  getBlueprint,
  listBlueprints,
  updateBlueprint,
} from '../../src/store/blueprints.ts';
import type { Database } from '../../src/store/database.ts';
import { createDeployment, deploymentResource, getDeployment, listDeployments } from '../../src/store/deployments.ts';
import { addLabels, listLabelWords, replaceLabels } from '../../src/store/labels.ts';
import { summarize } from '../../src/store/list-query.ts';
import type { FilterRule, ListQuery, Scope } from '../../src/store/scope.ts';
import { createTenant } from '../../src/store/tenants.ts';
import { createUser } from '../../src/store/users.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addBlueprint, everything, owner } from './samples.ts';

describe('lists of the store', () => {
  let test: TestDatabase;
  let database: Database;
  let other: number;
  let alice: number;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    other = (await createTenant(database, 'other')).id;
    alice = (await createUser(database, { username: 'alice', role: 'default' })).id;
  });
  after(() => test.close());

  describe('of deployments', () => {
    const add = async (id: string, more: object = {}): Promise<Deployment> => {
      const blueprint = await addBlueprint(database);
      return createDeployment(database, {
        ...owner,
        id,
        displayName: `Name of ${id}`,
        blueprintStorageId: blueprint.storageId,
        ...more,
      });
    };
    const ids = async (query: ListQuery, scope: Scope = everything): Promise<string[]> =>
      (await listDeployments(database, scope, query)).items.map(({ id }) => id);

    before(async () => {
      const a = await add('a');
      const b = await add('b', { inputs: { x: 1 }, installationStatus: 'active' });
      const c = await add('c_50%');
      await addLabels(
        database,
        'deployments',
        [a.storageId, b.storageId],
        [{ key: 'env', value: 'prod', creatorId: 0 }],
      );
      await addLabels(database, 'deployments', [b.storageId], [{ key: 'env', value: 'test', creatorId: 0 }]);
      await addLabels(database, 'deployments', [c.storageId], [{ key: 'zone', value: '1', creatorId: 0 }]);
    });

    const byRule: [string, FilterRule, string[]][] = [
      ['any_of', { type: 'label', key: 'env', operator: 'any_of', values: ['test', 'x'] }, ['b']],
      ['not_any_of', { type: 'label', key: 'env', operator: 'not_any_of', values: ['prod'] }, ['b']],
      ['is_not', { type: 'label', key: 'env', operator: 'is_not', values: ['test'] }, ['a', 'c_50%']],
      ['is_null', { type: 'label', key: 'env', operator: 'is_null', values: [] }, ['c_50%']],
      ['is_not_null', { type: 'label', key: 'env', operator: 'is_not_null', values: [] }, ['a', 'b']],
      ['attribute any_of', { type: 'attribute', key: 'id', operator: 'any_of', values: ['a', 'b'] }, ['a', 'b']],
      ['attribute not_any_of', { type: 'attribute', key: 'id', operator: 'not_any_of', values: ['a'] }, ['b', 'c_50%']],
      [
        'contains',
        { type: 'attribute', key: 'display_name', operator: 'contains', values: ['_50%', 'of b'] },
        ['b', 'c_50%'],
      ],
      ['not_contains', { type: 'attribute', key: 'id', operator: 'not_contains', values: ['_', 'b'] }, ['a']],
      [
        'starts_with',
        { type: 'attribute', key: 'display_name', operator: 'starts_with', values: ['nAME OF A'] },
        ['a'],
      ],
      ['ends_with', { type: 'attribute', key: 'id', operator: 'ends_with', values: ['0%', 'B'] }, ['b', 'c_50%']],
      ['schedules', { type: 'attribute', key: 'schedules', operator: 'is_not_empty', values: [] }, []],
    ];
    for (const [name, rule, expected] of byRule) {
      it(`apply the filter rule ${name} and tell how many it hides`, async () => {
        const page = await listDeployments(database, everything, { rules: [rule] });
        expect(page.items.map(({ id }) => id)).to.deep.equal(expected);
        expect(page).to.include({ total: expected.length, filtered: 3 - expected.length });
      });
    }

    it('page, sort and count', async () => {
      expect(await ids({ size: 2 })).to.deep.equal(['a', 'b']);
      expect(await ids({ size: 2, offset: 2 })).to.deep.equal(['c_50%']);
      expect(await ids({ size: 1, offset: 1, all: true })).to.have.length(3);
      expect(await ids({ sort: [{ field: 'id', descending: true }] })).to.deep.equal(['c_50%', 'b', 'a']);
      expect(await ids({ sort: [{ field: 'label:env', descending: true }], size: 10 })).to.deep.equal([
        'c_50%',
        'b',
        'a',
      ]);
      for (const [query, total] of [
        [{ size: 0 }, 3],
        [{ offset: 10 }, 3],
        [{ size: 2 }, 3],
        [{ size: 3 }, 3],
      ] as const) {
        expect(await listDeployments(database, everything, query)).to.include({ total, filtered: undefined });
      }
    });

    it('search literally, whatever the case', async () => {
      expect(await ids({ search: { id: '_5' } })).to.deep.equal(['c_50%']);
      expect(await ids({ search: { id: '%' } })).to.deep.equal(['c_50%']);
      expect(await ids({ search: { id: 'nothing', displayName: 'NAME OF B' } })).to.deep.equal(['b']);
    });

    it('filter by equality, and refuse unknown fields and unfit values', async () => {
      expect(await ids({ filters: { id: ['a', 'b'], installationStatus: ['active'] } })).to.deep.equal(['b']);
      expect(await ids({ filters: { hasSubDeployments: ['true'] } })).to.deep.equal([]);
      expect(await ids({ filters: { subServicesCount: ['0'], tenantName: ['default_tenant'] } })).to.have.length(3);
      for (const query of [
        { filters: { nope: ['1'] } },
        { filters: { subServicesCount: ['one'] } },
        { filters: { createdAt: ['yesterday'] } },
        { filters: { runtimeOnlyEvaluation: ['yes'] } },
        { filters: { inputs: ['{'] } },
        { sort: [{ field: 'constructor', descending: false }] },
        { search: { ['id; drop table users']: 'x' } },
      ]) {
        const error = await listDeployments(database, everything, query).catch((thrown: unknown) => thrown);
        expect(error).to.include({ code: 'bad_parameters_error' });
      }
    });

    it('prepare a bounded number of statements for single rows, whatever members clients ask for', async () => {
      const members = ['inputs', 'groups', 'policyTriggers', 'policyTypes', 'outputs', 'capabilities', 'workflows'];
      const subsets = Array.from({ length: 2 ** members.length }, (_, bits) =>
        members.filter((_member, index) => bits & (1 << index)),
      );
      const prepared = await database.transaction(async (transaction) => {
        for (const fields of subsets) {
          expect((await getDeployment(transaction, everything, 'a', { fields })).id).to.equal('a');
        }
        return transaction.query('select from pg_prepared_statements');
      });
      expect(prepared.length).to.be.lessThan(subsets.length - 20);
    });

    it('load costly fields only when asked', async () => {
      const { items } = await listDeployments(database, everything, { filters: { id: ['b'] }, fields: ['id'] });
      expect(items[0]).to.deep.include({ id: 'b', labels: [], deploymentGroups: [] });
      expect(items[0]?.inputs).to.equal(undefined);
      const full = await getDeployment(database, everything, 'b');
      expect(full.inputs).to.deep.equal({ x: 1 });
      expect(full.labels.map(({ key, value, createdBy }) => [key, value, createdBy])).to.deep.equal([
        ['env', 'prod', 'admin'],
        ['env', 'test', 'admin'],
      ]);
    });

    it('summarise by one or two fields', async () => {
      const one = await summarize(database, deploymentResource, everything, {}, { field: 'installationStatus' });
      expect(one.items.map(({ value, count }) => [value, count])).to.deep.equal([
        ['active', 1],
        ['inactive', 2],
      ]);
      const by = { field: 'tenantName', subField: 'installationStatus' };
      const two = await summarize(database, deploymentResource, everything, { size: 1 }, by);
      expect(two).to.deep.equal({
        items: [{ value: 'default_tenant', subValue: 'active', count: 1 }],
        total: 2,
      });
    });

    it('list keys and values of labels', async () => {
      const words = async (query: object, key?: string): Promise<string[]> =>
        (await listLabelWords(database, 'deployments', everything, query, key)).items;
      expect(await words({})).to.deep.equal(['env', 'zone']);
      expect(await words({ search: 'EN' })).to.deep.equal(['env']);
      expect(await words({ size: 1, offset: 1 }, 'env')).to.deep.equal(['test']);
      expect(await words({}, 'nothing')).to.deep.equal([]);
    });

    it('replace labels and keep equal ones as they were', async () => {
      const { storageId, labels } = await getDeployment(database, everything, 'b');
      const changed = await replaceLabels(
        database,
        'deployments',
        storageId,
        [
          { key: 'env', value: 'prod', creatorId: 0, createdAt: new Date(0) },
          { key: 'new', value: 'x', creatorId: 0, createdAt: new Date(0) },
        ],
        ['csys-consumer-id'],
      );
      expect(changed).to.deep.equal({
        added: [{ key: 'new', value: 'x' }],
        removed: [{ key: 'env', value: 'test' }],
      });
      const after = await getDeployment(database, everything, 'b');
      expect(after.labels[0]).to.deep.equal(labels[0]);
      expect(after.labels[1]?.createdAt).to.deep.equal(new Date(0));
    });
  });

  describe('of blueprints, by tenant and visibility', () => {
    const rows = [
      ['tenant-own', 0, 0, 'tenant'],
      ['private-own', 0, 0, 'private'],
      ['global-own', 0, 0, 'global'],
      ['private-alice', 0, 'alice', 'private'],
      ['tenant-other', 'other', 0, 'tenant'],
      ['global-other', 'other', 0, 'global'],
      ['private-other', 'other', 'alice', 'private'],
    ] as const;

    before(async () => {
      await database.query('delete from deployments');
      await database.query('delete from blueprints');
      for (const [id, tenant, creator, visibility] of rows) {
        await createBlueprint(database, {
          id,
          tenantId: tenant === 'other' ? other : 0,
          creatorId: creator === 'alice' ? alice : 0,
          visibility,
          state: 'uploaded',
        });
      }
    });

    const cases: [string, (ids: { other: number; alice: number }) => Scope, string[]][] = [
      [
        'the engine sees everything of a tenant and global rows',
        () => everything,
        ['tenant-own', 'private-own', 'global-own', 'private-alice', 'global-other'],
      ],
      [
        'a user does not see private rows of others',
        (known) => ({ tenantId: 0, viewer: { userId: known.alice, administers: [] } }),
        ['tenant-own', 'global-own', 'private-alice', 'global-other'],
      ],
      [
        'an administrator of the tenant sees private rows of others',
        (known) => ({ tenantId: 0, viewer: { userId: known.alice, administers: [0] } }),
        ['tenant-own', 'private-own', 'global-own', 'private-alice', 'global-other'],
      ],
      [
        'being administrator elsewhere does not help',
        (known) => ({ tenantId: 0, viewer: { userId: 99, administers: [known.other] } }),
        ['tenant-own', 'global-own', 'global-other'],
      ],
      [
        'lists over several tenants',
        (known) => ({
          tenantId: 0,
          tenants: [0, known.other],
          viewer: { userId: 99, administers: [known.other] },
        }),
        ['tenant-own', 'global-own', 'tenant-other', 'global-other', 'private-other'],
      ],
      [
        'lists over all tenants',
        () => ({ tenantId: 0, tenants: 'all', viewer: { userId: 0, administers: 'all' } }),
        rows.map(([id]) => id),
      ],
    ];
    for (const [name, scopeOf, expected] of cases) {
      it(name, async () => {
        const { items, total } = await listBlueprints(database, scopeOf({ other, alice }), {});
        expect(items.map(({ id }) => id)).to.deep.equal(expected);
        expect(total).to.equal(expected.length);
      });
    }

    it('refuse ids that are taken in the tenant or globally, and tell when an id means two', async () => {
      const create = (id: string, tenantId: number, visibility: 'tenant' | 'global' = 'tenant'): Promise<unknown> =>
        createBlueprint(database, { ...owner, id, tenantId, visibility, state: 'uploaded' });
      for (const [id, tenantId, visibility] of [
        ['tenant-own', 0, 'tenant'],
        ['global-other', 0, 'tenant'],
        ['tenant-other', 0, 'global'],
      ] as const) {
        const error = await create(id, tenantId, visibility).catch((thrown: unknown) => thrown);
        expect(error).to.include({ code: 'conflict_error' });
      }
      await create('tenant-own', other);
      const both: Scope = { tenantId: 0, tenants: [0, other] };
      const ambiguous = getBlueprint(database, both, 'tenant-own');
      expect(await ambiguous.catch((error: unknown) => error)).to.include({ code: 'ambiguous_name' });
      const missing = getBlueprint(database, everything, 'nobody');
      expect(await missing.catch((error: unknown) => error)).to.include({
        code: 'not_found_error',
        message: 'Requested `Blueprint` with ID `nobody` was not found',
      });
    });

    it('let one of many win a race for an id', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 6 }, () => createBlueprint(database, { ...owner, id: 'race', state: 'pending' })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
      for (const result of results) {
        if (result.status === 'rejected') {
          expect(result.reason).to.include({ code: 'conflict_error' });
        }
      }
    });

    it('clear and set what an update names, and are kept while deployments use them', async () => {
      const { storageId } = await getBlueprint(database, everything, 'tenant-own');
      await updateBlueprint(database, storageId, { description: 'text', mainFileName: 'main.yaml' });
      const updated = await updateBlueprint(database, storageId, { description: null });
      expect(updated).to.include({ description: undefined, mainFileName: 'main.yaml' });
      await createDeployment(database, { ...owner, id: 'd', displayName: 'd', blueprintStorageId: storageId });
      const removal = deleteBlueprint(database, storageId);
      expect(await removal.catch((error: unknown) => error)).to.include({ code: 'dependent_exists_error' });
    });
  });
});
