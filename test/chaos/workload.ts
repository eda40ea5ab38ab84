import { setMaxListeners } from 'node:events';
import type { GantryClient } from '../../src/client/client.ts';
import { GantryApiError } from '../../src/client/errors.ts';
import { followExecution } from '../../src/client/follow.ts';
import type { NodeInstanceShape } from '../../src/client/types.ts';
import { deploy, uploadBlueprint, writeBlueprint } from '../kit/blueprints.ts';
import {
  chaosBlueprint,
  healedNode,
  nodesPerTier,
  runsScripts,
  scaledNode,
  scriptPath,
  stepScript,
  tiers,
} from './blueprint.ts';
import { isPassing, patiently } from './patience.ts';

/** What an execution has to do, for judging it by its result. */
export interface Task {
  readonly workflow: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Instances whose lifecycle operations it runs to come up, and to go. */
  readonly installs: number;
  readonly uninstalls: number;
  /** Instances of the deployment when it is done, and the state of all of them. */
  readonly instances: number;
  readonly state: 'started' | 'deleted';
}

export interface Run extends Task {
  readonly id: string;
  readonly deploymentId: string;
}

export interface Sighting {
  readonly run: Run;
  readonly instanceId: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The workflow an update of a deployment runs as. */
const updateWorkflow = 'csys_new_deployment_update';

/** The blueprint as it is installed, and with the node that updates add and remove. */
type Variant = 'plain' | 'extended';

function blueprintOf(deploymentId: string, variant: unknown): string {
  return variant === 'extended' ? `${deploymentId}-extended` : deploymentId;
}

const size = tiers * nodesPerTier;
const added = 2;

function scaleBy(delta: number): Pick<Task, 'workflow' | 'parameters'> {
  return { workflow: 'scale', parameters: { scalable_entity_name: scaledNode, delta } };
}

/** An update to another blueprint; see `blueprintOf`. */
function updateTo(variant: Variant): Pick<Task, 'workflow' | 'parameters'> {
  return { workflow: updateWorkflow, parameters: { variant } };
}

/** One round of a deployment's life. */
const round: readonly Task[] = [
  { workflow: 'install', parameters: {}, installs: size, uninstalls: 0, instances: size, state: 'started' },
  { ...scaleBy(added), installs: added, uninstalls: 0, instances: size + added, state: 'started' },
  { ...updateTo('extended'), installs: 1, uninstalls: 0, instances: size + added + 1, state: 'started' },
  { ...updateTo('plain'), installs: 0, uninstalls: 1, instances: size + added, state: 'started' },
  { workflow: 'heal', parameters: {}, installs: 1, uninstalls: 1, instances: size + added, state: 'started' },
  { ...scaleBy(-added), installs: 0, uninstalls: added, instances: size, state: 'started' },
  { workflow: 'uninstall', parameters: {}, installs: 0, uninstalls: size, instances: size, state: 'deleted' },
];

/** Leads deployments through their life over and over until it is told to stop; remembers every execution. */
export class Workload {
  readonly runs: Run[] = [];
  readonly open = new Set<string>();
  /** Runtime properties of the instances that scripts work on, whenever they had come up. */
  readonly sightings: Sighting[] = [];
  /** What clients saw that should not be. */
  readonly complaints: string[] = [];
  private readonly client: GantryClient;
  private readonly journal: string;
  private readonly limit = new AbortController();
  private readonly lives: Promise<void>[] = [];
  private isStopping = false;

  /** @param journal file that scripts write to */
  constructor(client: GantryClient, journal: string) {
    setMaxListeners(0, this.limit.signal);
    this.client = client;
    this.journal = journal;
  }

  /** Makes a deployment and starts its life. */
  async start(deploymentId: string): Promise<void> {
    const files = { [scriptPath]: stepScript };
    await deploy(this.client, deploymentId, chaosBlueprint(), files, { journal: this.journal });
    const extended = await writeBlueprint(chaosBlueprint(true), files);
    await uploadBlueprint(this.client, blueprintOf(deploymentId, 'extended'), extended.path);
    await extended.dispose();
    this.lives.push(
      this.live(deploymentId).catch((error: unknown) => {
        if (!this.limit.signal.aborted) {
          this.complaints.push(`${deploymentId}: ${String(error)}`);
        }
      }),
    );
  }

  /** No new rounds; resolves when the last one is over. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.lives);
  }

  /** Does not wait for what runs any more. */
  giveUp(): void {
    this.limit.abort();
  }

  private async live(deploymentId: string): Promise<void> {
    while (!this.isStopping) {
      for (const task of round) {
        const run = await this.begin(deploymentId, task);
        this.open.add(run.id);
        const { status, error } = await this.end(run);
        this.open.delete(run.id);
        if (status !== 'terminated') {
          this.complaints.push(`${run.workflow} ${run.id} ended ${status}: ${error ?? ''}`);
          return;
        }
        await this.look(run);
      }
    }
  }

  private async end({ id }: Run): Promise<{ status: string; error: string | null }> {
    const { signal } = this.limit;
    return patiently(() => followExecution(this.client, id, { signal }), signal);
  }

  private async begin(deploymentId: string, task: Task): Promise<Run> {
    const parameters = task.workflow === 'heal' ? await this.chooseFailing(deploymentId) : task.parameters;
    const known = new Set(this.runs.map(({ id }) => id));
    for (;;) {
      const id =
        (await this.findNew(deploymentId, task.workflow, known)) ??
        (await this.tryToStart(deploymentId, task.workflow, parameters));
      if (id !== undefined) {
        const run = { ...task, parameters, id, deploymentId };
        this.runs.push(run);
        return run;
      }
    }
  }

  /** @returns undefined when nobody knows whether it was started */
  private async tryToStart(
    deploymentId: string,
    workflow: string,
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<string | undefined> {
    try {
      return workflow === updateWorkflow
        ? await this.update(deploymentId, blueprintOf(deploymentId, parameters['variant']))
        : (await this.client.executions.start(deploymentId, workflow, { parameters })).id;
    } catch (error) {
      const isRunning = error instanceof GantryApiError && error.code === 'existing_running_execution_error';
      if (isPassing(error) || isRunning) {
        return undefined;
      }
      throw error;
    }
  }

  private async update(deploymentId: string, blueprintId: string): Promise<string> {
    const path = `/deployment-updates/${deploymentId}/update/initiate`;
    const { transport } = this.client;
    return (
      await transport.json<{ execution_id: string }>('POST', path, {
        body: { blueprint_id: blueprintId, skip_heal: true },
      })
    ).execution_id;
  }

  /** An execution that a request started whose answer got lost. */
  private async findNew(
    deploymentId: string,
    workflow: string,
    known: ReadonlySet<string>,
  ): Promise<string | undefined> {
    const query = {
      deployment_id: deploymentId,
      workflow_id: workflow,
      _include_system_workflows: true,
      _size: 1000,
    };
    const { items } = await patiently(
      () => this.client.transport.json<{ items: { id: string }[] }>('GET', '/executions', { query }),
      this.limit.signal,
    );
    return items.find(({ id }) => !known.has(id))?.id;
  }

  private async chooseFailing(deploymentId: string): Promise<Readonly<Record<string, unknown>>> {
    const [instance] = await this.instancesOf(deploymentId, { node_id: healedNode });
    return { node_instance_id: instance?.id, diagnose_value: 'chaos' };
  }

  private async instancesOf(
    deploymentId: string,
    more: Record<string, string> = {},
  ): Promise<readonly NodeInstanceShape[]> {
    const filters = { deployment_id: deploymentId, ...more };
    const { items } = await patiently(
      () => this.client.deployments.nodeInstances({ filters, size: 1000 }),
      this.limit.signal,
    );
    return items;
  }

  /** Whether the deployment is what the execution should have made of it. */
  private async look(run: Run): Promise<void> {
    const instances = await this.instancesOf(run.deploymentId);
    for (const { id, node_id: node, runtime_properties: properties } of instances) {
      if (run.state === 'started' && runsScripts(node)) {
        this.sightings.push({ run, instanceId: id, properties });
      }
    }
    const right = instances.filter(({ state }) => state === run.state).length;
    if (instances.length !== run.instances || right !== run.instances) {
      this.complaints.push(
        `${run.workflow} ${run.id}: ${right} of ${instances.length} instances are ${run.state}, not ${run.instances}`,
      );
    }
  }
}
