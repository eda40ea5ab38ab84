import { scaledNode } from './blueprint.ts';
import { directoryActions } from './directory-actions.ts';
import { textOf } from './requests.ts';
import { itemsOf, remember } from './world.ts';
import type { Action, Visit } from './world.ts';

const parent = 'csys-obj-parent';

const deploymentActions: readonly Action[] = [
  {
    weight: 12,
    run: (visit) =>
      visit.call('PUT', `/deployments/${visit.deployment()}?async_create=${visit.chance(50)}`, {
        blueprint_id: visit.blueprint(),
        labels: [visit.chance(30) ? { [parent]: visit.deployment() } : { kind: 'stress' }],
      }),
  },
  {
    weight: 5,
    run: (visit) =>
      visit.call(
        'DELETE',
        `/deployments/${visit.deployment()}?force=${visit.chance(50)}&recursive=${visit.chance(20)}`,
      ),
  },
  {
    weight: 3,
    run: (visit) =>
      visit.call('PUT', `/blueprints/${visit.blueprint()}?async_upload=${visit.chance(50)}`, undefined, {
        archive: visit.random.pick(visit.shared.archives),
      }),
  },
  {
    weight: 3,
    run: (visit) => visit.call('DELETE', `/blueprints/${visit.blueprint()}?force=${visit.chance(20)}`),
  },
  {
    weight: 6,
    run: (visit) =>
      visit.begin('POST', `/deployment-updates/${visit.deployment()}/update/initiate`, {
        blueprint_id: visit.blueprint(),
        preview: visit.chance(20),
        force: visit.chance(20),
      }),
  },
  {
    weight: 3,
    run: (visit) =>
      visit.call('PATCH', `/deployments/${visit.deployment()}`, {
        labels: [visit.chance(50) ? { [parent]: visit.deployment() } : { x: 'y' }],
      }),
  },
  {
    weight: 2,
    run: (visit) => visit.call('POST', `/deployments/${visit.deployment()}/set-site`, { site_name: 's0' }),
  },
  {
    weight: 2,
    run: (visit) => visit.call('PATCH', `/deployments/${visit.deployment()}/set-visibility`, { visibility: 'tenant' }),
  },
  {
    weight: 2,
    run: (visit) =>
      visit.call(visit.random.pick(['PUT', 'DELETE']), '/deployments/inter-deployment-dependencies', {
        dependency_creator: `stress.${visit.random.between(0, 2)}`,
        source_deployment: visit.deployment(),
        target_deployment: visit.deployment(),
      }),
  },
  {
    weight: 3,
    run: async (visit) => {
      const nodes = { [scaledNode]: { instances: visit.random.between(1, 4) } };
      const body = { deployment_id: visit.deployment(), nodes };
      const answer = await visit.call('POST', '/deployment-modifications', body);
      const id = answer.body['id'];
      if (answer.status < 300 && typeof id === 'string') {
        remember(visit.shared.modifications, { tenant: visit.tenant, id });
      }
    },
  },
  {
    weight: 4,
    run: async (visit) => {
      const { modifications } = visit.shared;
      if (modifications.length > 0) {
        const { id, tenant } = visit.random.pick(modifications);
        const path = `/deployment-modifications/${id}/${visit.random.pick(['finish', 'rollback'])}`;
        await visit.call('POST', path, undefined, { tenant });
      }
    },
  },
  {
    weight: 3,
    run: async (visit) => {
      const instances = itemsOf(await visit.call('GET', `/node-instances?deployment_id=${visit.deployment()}`));
      if (instances.length > 0) {
        const instance = visit.random.pick(instances);
        const body = {
          version: instance['version'] ?? 1,
          runtime_properties: { touched: visit.random.between(0, 99) },
        };
        await visit.call('PATCH', `/node-instances/${textOf(instance, 'id')}?force=${visit.chance(30)}`, body);
      }
    },
  },
];

const workflows = ['install', 'install', 'install', 'uninstall', 'heal', 'restart', 'execute_operation'];

const executionActions: readonly Action[] = [
  {
    weight: 20,
    run: (visit) => {
      const workflow = visit.random.pick(workflows);
      return visit.begin('POST', '/executions', {
        deployment_id: visit.deployment(),
        workflow_id: workflow,
        ...(workflow === 'execute_operation'
          ? { parameters: { operation: 'cloudify.interfaces.lifecycle.start' } }
          : {}),
        queue: visit.chance(50),
        force: visit.chance(10),
        dry_run: visit.chance(5),
        ...(visit.chance(5) ? { breakpoints: ['cloudify.interfaces.lifecycle.start'] } : {}),
      });
    },
  },
  {
    weight: 6,
    run: (visit) =>
      visit.begin('POST', '/executions', {
        deployment_id: visit.deployment(),
        workflow_id: 'scale',
        parameters: { scalable_entity_name: scaledNode, delta: visit.random.pick([1, -1, 2]) },
        queue: visit.chance(50),
      }),
  },
  {
    weight: 20,
    run: async (visit) => {
      const { executions, resumed } = visit.shared;
      if (executions.length > 0) {
        const { id, tenant } = visit.random.pick(executions);
        const action = visit.random.pick([
          ...['cancel', 'force-cancel', 'kill', 'resume', 'resume', 'force-resume', 'requeue', 'pause', 'unpause'],
        ]);
        if (['resume', 'force-resume', 'requeue'].includes(action)) {
          resumed.add(id);
        }
        await visit.call('POST', `/executions/${id}`, { action }, { tenant });
      }
    },
  },
  {
    weight: 3,
    run: async (visit) => {
      const { executions } = visit.shared;
      if (executions.length > 0) {
        const { id, tenant } = visit.random.pick(executions);
        const path = visit.random.pick([`/executions/${id}/operations`, `/executions/${id}/breakpoints`]);
        await visit.call('GET', path, undefined, { tenant });
        await visit.call('POST', `/executions/${id}/step`, undefined, { tenant });
      }
    },
  },
  {
    weight: 2,
    run: (visit) =>
      visit.begin('POST', '/executions', {
        deployment_id: visit.deployment(),
        workflow_id: 'install',
        scheduled_time: '209001010000+0000',
      }),
  },
  {
    weight: 3,
    run: (visit) =>
      visit.call(
        visit.random.pick(['PUT', 'DELETE']),
        `/execution-schedules/s?deployment_id=${visit.deployment()}`,
        // some of them are due at once
        {
          workflow_id: 'install',
          since: visit.chance(50) ? '2090-01-01 00:00:00' : new Date().toISOString().slice(0, 19).replace('T', ' '),
          recurrence: '1 day',
        },
      ),
  },
  {
    weight: 1,
    run: (visit) => visit.call('DELETE', '/executions', { keep_last: 30 }),
  },
  {
    weight: 2,
    run: (visit) =>
      visit.call('POST', '/executions/plan', { deployment_id: visit.deployment(), workflow_id: 'install' }),
  },
];

const groupActions: readonly Action[] = [
  {
    weight: 3,
    run: (visit) => {
      const id = visit.group();
      const body = { deployment_ids: [visit.deployment()], blueprint_id: visit.blueprint(), labels: [{ group: id }] };
      return visit.call('PUT', `/deployment-groups/${id}`, body);
    },
  },
  {
    weight: 2,
    run: (visit) => {
      const one = { id: visit.deployment() };
      const body = { add: { new_deployments: visit.chance(50) ? [one] : [one, {}] } };
      return visit.call('PATCH', `/deployment-groups/${visit.group()}`, body);
    },
  },
  {
    weight: 2,
    run: (visit) =>
      visit.call('DELETE', `/deployment-groups/${visit.group()}?delete_deployments=${visit.chance(40)}&force=true`),
  },
  {
    weight: 3,
    run: async (visit) => {
      const answer = await visit.call('POST', '/execution-groups', {
        deployment_group_id: visit.group(),
        workflow_id: visit.random.pick(['install', 'uninstall']),
        concurrency: 2,
        force: visit.chance(20),
      });
      const id = answer.body['id'];
      if (answer.status < 300 && typeof id === 'string' && visit.chance(50)) {
        const action = visit.random.pick(['cancel', 'kill', 'resume', 'force-cancel']);
        await visit.call('POST', `/execution-groups/${id}`, { action });
      }
    },
  },
];

const lists = [
  '/deployments?_sort=-created_at',
  '/executions?_include_system_workflows=true',
  '/events?_size=50',
  '/nodes',
  '/deployment-groups',
  '/summary/deployments?_target_field=blueprint_id',
  '/deployment-updates',
  '/execution-groups',
  '/audit?_size=20',
];

const readingActions: readonly Action[] = [
  { weight: 6, run: (visit) => visit.call('GET', visit.random.pick(lists)) },
  { weight: 2, run: (visit) => visit.call('GET', `/deployments/${visit.deployment()}/capabilities`) },
  { weight: 2, run: (visit) => visit.call('GET', `/deployments/${visit.deployment()}?all_sub_deployments=true`) },
];

/** All that people do. */
export const actions: readonly Action[] = [
  ...deploymentActions,
  ...executionActions,
  ...groupActions,
  ...directoryActions,
  ...readingActions,
];

const total = actions.reduce((sum, { weight }) => sum + weight, 0);

/** What somebody does next. */
export function chooseAction(visit: Visit): Action {
  let at = visit.random.between(1, total);
  const chosen = actions.find(({ weight }) => (at -= weight) <= 0);
  return chosen ?? (actions[0] as Action);
}
