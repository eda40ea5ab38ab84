import { passingTenants } from './world.ts';
import type { Action } from './world.ts';

/** Tenants, people, secrets, sites, filters and archives: what exists beside deployments. */
export const directoryActions: readonly Action[] = [
  {
    weight: 2,
    run: (visit) =>
      visit.call('PUT', `/secrets/s${visit.random.between(0, 2)}`, {
        value: 'a secret',
        update_if_exists: visit.chance(50),
      }),
  },
  { weight: 2, run: (visit) => visit.call('DELETE', `/secrets/s${visit.random.between(0, 2)}`) },
  {
    weight: 2,
    run: (visit) => visit.call(visit.random.pick(['PUT', 'DELETE']), `/sites/s${visit.random.between(0, 1)}`, {}),
  },
  {
    weight: 1,
    run: (visit) =>
      visit.call(visit.random.pick(['PUT', 'DELETE']), '/filters/deployments/f', {
        filter_rules: [{ key: 'kind', values: ['stress'], operator: 'any_of', type: 'label' }],
      }),
  },
  {
    weight: 1,
    run: async (visit) => {
      const tenant = visit.random.pick(passingTenants);
      await visit.call('POST', `/tenants/${tenant}`);
      const archive = visit.random.pick(visit.shared.archives);
      await visit.call('PUT', '/blueprints/b0', undefined, { tenant, archive });
      await visit.call('PUT', '/deployments/d', { blueprint_id: 'b0' }, { tenant });
      await visit.call('POST', '/executions', { deployment_id: 'd', workflow_id: 'install' }, { tenant });
    },
  },
  {
    weight: 2,
    run: async (visit) => {
      const tenant = visit.random.pick(passingTenants);
      if (visit.chance(60)) {
        await visit.call('DELETE', '/deployments/d?force=true', undefined, { tenant });
        await visit.call('DELETE', '/blueprints/b0?force=true', undefined, { tenant });
      }
      await visit.call('DELETE', `/tenants/${tenant}`);
    },
  },
  {
    weight: 1,
    run: async (visit) => {
      const username = `guest${visit.random.between(0, 1)}`;
      await visit.call('PUT', '/users', { username, password: 'a-guests-secret', role: 'default' });
      await visit.call('PUT', '/tenants/users', { tenant_name: visit.tenant, username, role: 'user' });
      await visit.call('DELETE', `/users/${username}`);
    },
  },
  {
    weight: 1,
    run: (visit) => {
      const path = `/${visit.random.pick(['snapshots', 'log-bundles'])}/a${visit.random.between(0, 1)}`;
      return visit.chance(30) ? visit.call('PUT', path, {}) : visit.call('DELETE', path);
    },
  },
];
