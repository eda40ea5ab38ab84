import type { Visibility } from '../../domain/states.ts';
import { liveTopics } from './messages.ts';
import type { Deleted, LiveMessage, LiveTopic } from './messages.ts';

/** What notifications said has changed and was not read yet. */
export class Changes {
  /** Ids of executions and execution groups that have new events. */
  readonly eventOwners = new Set<string>();
  /** Ids of executions whose status changed. */
  readonly executions = new Set<string>();
  /** Storage ids. */
  readonly deployments = new Set<number>();
  /** Storage ids of deployments. */
  readonly instancesOf = new Set<number>();
  readonly deleted: LiveMessage[] = [];

  get isEmpty(): boolean {
    const { eventOwners, executions, deployments, instancesOf, deleted } = this;
    return eventOwners.size + executions.size + deployments.size + instancesOf.size + deleted.length === 0;
  }

  /** Adds what another set has, deletions apart: they are told once. */
  add(other: Changes): void {
    other.eventOwners.forEach((id) => this.eventOwners.add(id));
    other.executions.forEach((id) => this.executions.add(id));
    other.deployments.forEach((id) => this.deployments.add(id));
    other.instancesOf.forEach((id) => this.instancesOf.add(id));
  }

  /** Takes a notification of the channel `gantry_live`, see migration 017. */
  note(payload: string): void {
    const told = JSON.parse(payload) as {
      topic: string;
      changed?: number;
      gone?: [id: string, tenantId: number, creatorId: number, visibility: Visibility][];
    };
    const topic = liveTopics.find((name) => name === told.topic);
    if (topic === undefined) {
      return;
    }
    if (told.changed !== undefined) {
      (topic === 'deployments' ? this.deployments : this.instancesOf).add(told.changed);
    }
    for (const [id, tenantId, creatorId, visibility] of told.gone ?? []) {
      this.deleted.push(deletion(topic, { id, tenantId, creatorId, visibility }));
    }
  }
}

function deletion(of: LiveTopic, item: Deleted): LiveMessage {
  return { topic: 'deleted', of, item };
}
