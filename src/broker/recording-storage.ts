import type { EvaluationStorage } from '../dsl/functions/index.ts';

/** An evaluation storage that remembers the secrets it gave out, so that they can be kept out of logs. */
export function recordingStorage(storage: EvaluationStorage, secrets: Set<string>): EvaluationStorage {
  return {
    inputs: () => storage.inputs(),
    nodes: (ids) => storage.nodes(ids),
    instances: (ids) => storage.instances(ids),
    instancesOf: (ids) => storage.instancesOf(ids),
    groupMembers: (ids) => storage.groupMembers(ids),
    labelValues: (keys) => storage.labelValues(keys),
    consumers: () => storage.consumers(),
    system: () => storage.system(),
    secrets: async (names) => {
      const values = await storage.secrets(names);
      values.forEach((value) => secrets.add(value));
      return values;
    },
    deployments: async (ids) => {
      const owners = await storage.deployments(ids);
      return new Map(
        [...owners].map(([id, owner]) => [id, { ...owner, storage: recordingStorage(owner.storage, secrets) }]),
      );
    },
  };
}
