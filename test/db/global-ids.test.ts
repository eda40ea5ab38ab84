import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { GantryError } from '../../src/domain/errors.ts';
import { createBlueprint, updateBlueprint } from '../../src/store/blueprints.ts';
import type { Database } from '../../src/store/database.ts';
import { isUniqueViolation } from '../../src/store/database-errors.ts';
import { createDeployments } from '../../src/store/deployment-batch.ts';
import { createDeploymentGroup, updateDeploymentGroup } from '../../src/store/deployment-groups.ts';
import { createDeployment, updateDeployment } from '../../src/store/deployments.ts';
import { createFilter, updateFilter } from '../../src/store/filters.ts';
import { createPlugin, updatePlugin } from '../../src/store/plugins.ts';
import type { NewResource } from '../../src/store/resource-writes.ts';
import { createSecret, updateSecret } from '../../src/store/secrets.ts';
import { createSecretsProvider, updateSecretsProvider } from '../../src/store/secrets-providers.ts';
import type { Session } from '../../src/store/session.ts';
import { createSite, updateSite } from '../../src/store/sites.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { until } from '../kit/until.ts';
import { addBlueprint } from './samples.ts';

type Widen = (session: Session, storageId: number, change: { visibility: 'global' }) => Promise<unknown>;

interface Kind {
  readonly table: string;
  readonly create: (session: Session, row: NewResource) => Promise<unknown>;
  readonly widen: Widen;
}

const plugin = { packageName: 'p', wheels: [], excludedWheels: [] } as const;

describe('ids of global resources', function () {
  this.timeout(30_000);
  let test: TestDatabase;
  let database: Database;
  let blueprintStorageId: number;
  const other = 77;

  const deployment = (row: NewResource) => ({ ...row, displayName: row.id, blueprintStorageId });
  const kinds: readonly Kind[] = [
    {
      table: 'blueprints',
      create: (session, row) => createBlueprint(session, { ...row, state: 'uploaded' }),
      widen: updateBlueprint,
    },
    {
      table: 'filters',
      create: (session, row) => createFilter(session, { ...row, kind: 'deployments', rules: [] }),
      widen: updateFilter,
    },
    { table: 'sites', create: createSite, widen: updateSite },
    { table: 'secrets', create: (session, row) => createSecret(session, { ...row, value: 'x' }), widen: updateSecret },
    {
      table: 'secrets_providers',
      create: (session, row) => createSecretsProvider(session, { ...row, type: 'vault' }),
      widen: updateSecretsProvider,
    },
    {
      table: 'deployments',
      create: (session, row) => createDeployment(session, deployment(row)),
      widen: updateDeployment,
    },
    {
      table: 'deployments',
      create: (session, { id, ...batch }) =>
        createDeployments(session, { ...batch, blueprintStorageId }, [
          { id, displayName: id, siteStorageId: undefined, runtimeOnlyEvaluation: false },
        ]),
      widen: updateDeployment,
    },
    { table: 'deployment_groups', create: createDeploymentGroup, widen: updateDeploymentGroup },
    {
      table: 'plugins',
      create: (session, row) =>
        createPlugin(session, { ...plugin, ...row, id: randomUUID(), archiveName: row.id, packageVersion: row.id }),
      widen: updatePlugin,
    },
  ];

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    await database.query(`insert into tenants (id, name) values ($1, 'other')`, [other]);
    ({ storageId: blueprintStorageId } = await addBlueprint(database));
  });
  after(() => test.close());

  const row = (id: string, tenantId: number, visibility: NewResource['visibility']): NewResource => ({
    ...{ id, tenantId, visibility },
    creatorId: 0,
  });
  const key = (table: string): string => (table === 'plugins' ? 'archive_name' : 'id');

  async function stored(table: string, id: string): Promise<{ storageId: number; visibility: string }[]> {
    return database.query(
      `select storage_id as "storageId", visibility from ${table} where ${key(table)} = $1 order by tenant_id`,
      [id],
    );
  }

  /**
   * Does one thing in a transaction that is committed only when another one has come to its end or waits.
   * @returns what the other one was refused with
   */
  async function meet(
    first: (session: Session) => Promise<unknown>,
    second: (session: Session) => Promise<unknown>,
  ): Promise<unknown> {
    let end: { error: unknown } | undefined;
    const outcome = await database.transaction(async (transaction) => {
      await first(transaction);
      const running = database.transaction(second).then(
        () => (end = { error: undefined }),
        (error: unknown) => (end = { error }),
      );
      await until('the other transaction to wait', async () => {
        const [waiting] = await database.query<{ count: number }>(
          `select count(*) as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return end !== undefined || (waiting?.count ?? 0) > 0;
      });
      return { running };
    });
    return (await outcome.running).error;
  }

  const isRefusal = (error: unknown): boolean =>
    isUniqueViolation(error) || (error instanceof GantryError && error.code === 'conflict_error');

  for (const [index, { table, create, widen }] of kinds.entries()) {
    const id = `same-${index}`;

    it(`are given once, also to ${table} that come at the same moment in another tenant (${index})`, async () => {
      for (const [mine, theirs] of [
        ['private', 'global'],
        ['global', 'tenant'],
        ['global', 'global'],
      ] as const) {
        const error = await meet(
          (session) => create(session, row(`${id}-${mine}-${theirs}`, 0, mine)),
          (session) => create(session, row(`${id}-${mine}-${theirs}`, other, theirs)),
        );
        expect(isRefusal(error), String(error)).to.equal(true);
        expect(await stored(table, `${id}-${mine}-${theirs}`)).to.have.length(1);
      }
    });

    it(`are not taken by ${table} that become global while another one comes (${index})`, async () => {
      await database.transaction((transaction) => create(transaction, row(id, 0, 'tenant')));
      const [present] = await stored(table, id);
      const late = await meet(
        (session) => create(session, row(id, other, 'private')),
        (session) => widen(session, present?.storageId ?? 0, { visibility: 'global' }),
      );
      expect(isRefusal(late), String(late)).to.equal(true);
      expect((await stored(table, id)).map(({ visibility }) => visibility)).to.deep.equal(['tenant', 'private']);
    });

    it(`may be the same in two tenants for ${table} that are not global, made at the same moment (${index})`, async () => {
      let second: Promise<unknown> = Promise.resolve();
      await database.transaction(async (transaction) => {
        await create(transaction, row(`${id}-both`, 0, 'tenant'));
        second = database.transaction((another) => create(another, row(`${id}-both`, other, 'private')));
        await second;
      });
      expect(await stored(table, `${id}-both`)).to.have.length(2);
    });
  }

  it('are not taken by a name that changes into one', async () => {
    await createSite(database, row('here', 0, 'global'));
    const { storageId } = await createSite(database, row('there', other, 'tenant'));
    const error = await updateSite(database, storageId, { id: 'here' }).catch((thrown: unknown) => thrown);
    expect(isRefusal(error), String(error)).to.equal(true);
  });
});
