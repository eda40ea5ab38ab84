import { expect } from 'chai';
import { operationError } from '../../src/domain/operation-error.ts';
import type { OperationFunction } from '../kit/engine.ts';
import type { RestService } from './kit.ts';

/** One part of a blueprint: YAML without indentation of its own. */
export interface BlueprintParts {
  /** Node name -> body of its template. */
  nodes: Readonly<Record<string, object>>;
  /** Further top-level sections. */
  rest?: Readonly<Record<string, unknown>>;
}

const operationNames = ['create', 'start', 'stop', 'delete'];

/** A blueprint as JSON, which is YAML: every node writes down its operations under the plugin `fake`. */
export function blueprintOf({ nodes, rest = {} }: BlueprintParts): string {
  const relationship = { establish: 'fake.establish', unlink: 'fake.unlink' };
  return JSON.stringify({
    tosca_definitions_version: 'cloudify_dsl_1_4',
    imports: ['cloudify/types/types.yaml'],
    plugins: { fake: { executor: 'central_deployment_agent', install: false } },
    node_types: {
      thing: {
        derived_from: 'cloudify.nodes.Root',
        properties: { size: { default: 1 } },
        interfaces: {
          'cloudify.interfaces.lifecycle': Object.fromEntries(operationNames.map((name) => [name, `fake.${name}`])),
        },
      },
      updatable: {
        derived_from: 'thing',
        interfaces: { 'cloudify.interfaces.lifecycle': { update: 'fake.update' } },
      },
    },
    relationships: {
      linked: {
        derived_from: 'cloudify.relationships.connected_to',
        source_interfaces: { 'cloudify.interfaces.relationship_lifecycle': relationship },
      },
      joined: {
        derived_from: 'cloudify.relationships.connected_to',
        source_interfaces: { 'cloudify.interfaces.relationship_lifecycle': relationship },
      },
    },
    node_templates: nodes,
    ...rest,
  });
}

export const link = (target: string, type = 'linked'): object => ({ type, target });

/** A worker that writes down what it was asked to do, and fails where it is told to. */
export class Journal {
  readonly calls: { name: string; blueprint: string; relationship: string | undefined }[] = [];
  /** Calls that fail, as `node.operation`. */
  readonly failing = new Set<string>();
  /** Called while an operation runs, with `node.operation`. */
  watch: ((name: string) => Promise<void>) | undefined;

  readonly run: OperationFunction = async ({ context }) => {
    const name = `${context.node_name ?? ''}.${context.operation?.name.split('.').at(-1) ?? ''}`;
    const relationship = context.related?.node_name;
    this.calls.push({ name, blueprint: context.blueprint_id ?? '', relationship });
    await this.watch?.(name);
    return this.failing.has(name)
      ? { ok: false, error: operationError({ kind: 'NonRecoverableError', message: `${name} was told to fail` }) }
      : { ok: true, result: null };
  };

  /** The calls since the last time, as `node.operation`. */
  take(): string[] {
    return this.calls.splice(0).map(({ name, relationship }) => (relationship ? `${name}>${relationship}` : name));
  }
}

export interface UpdateAnswer {
  id: string;
  state: string;
  execution_id: string;
  old_blueprint_id: string;
  new_blueprint_id: string;
  old_inputs: Record<string, unknown>;
  new_inputs: Record<string, unknown>;
  steps: { action: string; entity_type: string; entity_id: string[] }[];
  recursive_dependencies: object[] | null;
  schedules_to_create: { id: string }[] | null;
  labels_to_create: object[] | null;
}

/** Drives deployments and their updates over the API. */
export class UpdateDriver {
  readonly rest: RestService;

  constructor(rest: RestService) {
    this.rest = rest;
  }

  async upload(id: string, parts: BlueprintParts): Promise<void> {
    const answer = await this.rest.upload(id, { 'blueprint.yaml': blueprintOf(parts) });
    const { state, error } = answer.json<{ state: string; error: string }>();
    expect(state, error).to.equal('uploaded');
  }

  /** Creates and installs a deployment. */
  async deploy(id: string, blueprintId: string, inputs: object = {}): Promise<void> {
    const created = await this.rest.call('PUT', `/deployments/${id}`, { body: { blueprint_id: blueprintId, inputs } });
    expect(created.status, created.text).to.equal(201);
    await this.execute(id, 'install');
  }

  async execute(id: string, workflow: string, parameters: object = {}): Promise<void> {
    const body = { deployment_id: id, workflow_id: workflow, parameters };
    const started = await this.rest.call('POST', '/executions', { body });
    expect(started.status, started.text).to.equal(201);
    const ended = await this.ended(started.json<{ id: string }>().id);
    expect(ended.status, ended.error).to.equal('terminated');
  }

  /** Waits for the end of an execution. */
  async ended(id: string): Promise<{ status: string; error: string }> {
    const { database } = this.rest;
    let wake = (): void => undefined;
    const stop = await database.listen('gantry_executions', () => wake());
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const execution = (await this.rest.call('GET', `/executions/${id}`)).json<{ status: string; error: string }>();
        if (['terminated', 'failed', 'cancelled'].includes(execution.status)) {
          return execution;
        }
        await woken;
      }
    } finally {
      await stop();
    }
  }

  async initiate(id: string, body: object): Promise<UpdateAnswer> {
    const answer = await this.rest.call('POST', `/deployment-updates/${id}/update/initiate`, { body });
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<UpdateAnswer>();
  }

  /** Updates and waits until that has ended. */
  async update(id: string, body: object): Promise<UpdateAnswer & { error: string }> {
    const { id: updateId, execution_id: executionId } = await this.initiate(id, body);
    const { error } = await this.ended(executionId);
    return { ...(await this.get(updateId)), error };
  }

  async get(updateId: string): Promise<UpdateAnswer> {
    return (await this.rest.call('GET', `/deployment-updates/${updateId}`)).json<UpdateAnswer>();
  }

  async deployment<Shape>(id: string): Promise<Shape> {
    return (await this.rest.call('GET', `/deployments/${id}`)).json<Shape>();
  }

  /** `node(state) -> target, target` per instance, sorted. */
  async instances(id: string): Promise<string[]> {
    interface Item {
      id: string;
      node_id: string;
      state: string;
      relationships: { type: string; target_name: string; target_id: string }[];
    }
    const { items } = (await this.rest.call('GET', `/node-instances?deployment_id=${id}`)).json<{ items: Item[] }>();
    const known = new Set(items.map((item) => item.id));
    return items
      .map(({ node_id: node, state, relationships }) => {
        const targets = relationships.map(
          ({ type, target_name: target, target_id: targetId }) =>
            `${type}:${target}${known.has(targetId) ? '' : ' (missing)'}`,
        );
        return `${node}(${state})${targets.length > 0 ? ` -> ${targets.join(', ')}` : ''}`;
      })
      .sort();
  }
}
