import type { Session } from './session.ts';

/** A state change by the engine; it does not ask for the version and makes it one higher. */
export interface InstanceStateChange {
  id: string;
  state: string;
}

interface Collapsed {
  state: string;
  steps: number;
  resetsDrift: boolean;
  resetsStatus: boolean;
}

/** One row can be updated once per statement: several changes of an instance become one that has all their effects. */
function collapse(changes: readonly InstanceStateChange[]): Map<string, Collapsed> {
  const collapsed = new Map<string, Collapsed>();
  for (const { id, state } of changes) {
    const before = collapsed.get(id);
    collapsed.set(id, {
      state,
      steps: (before?.steps ?? 0) + 1,
      resetsDrift: (before?.resetsDrift ?? false) || state === 'configured',
      resetsStatus: (before?.resetsStatus ?? false) || state === 'started',
    });
  }
  return collapsed;
}

const checkPassed = `jsonb_build_object('ok', true, 'result', null, 'task', null,
  'timestamp', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'))`;

const tellsDrift = '(@.ok == false || (exists(@.result) && @.result != null))';

/** How many parameters `instanceClause` takes. */
export const instanceParameterCount = 5;

/**
 * An update of states that returns ids and versions, as a statement or as a clause of one.
 * @param first number of the first of the parameters, which `instanceParameters` makes
 */
export function instanceClause(first: number, condition = 'true'): string {
  const column = (offset: number, type: string): string => `$${first + offset}::${type}[]`;
  return `update node_instances instance set
    state = change.state,
    version = instance.version + change.steps,
    system_properties = case when change.resets_drift or change.resets_status
      then instance.system_properties
        || case when change.resets_drift then jsonb_build_object('configuration_drift', ${checkPassed}) else '{}' end
        || case when change.resets_status
          then jsonb_build_object('status', ${checkPassed}, 'previous_status', null) else '{}' end
      else instance.system_properties end,
    is_status_check_ok = instance.is_status_check_ok or change.resets_status,
    has_configuration_drift = case when change.resets_drift and instance.has_configuration_drift
      then jsonb_path_exists(instance.system_properties, '$.source_relationships_configuration_drift.* ? ${tellsDrift}')
        or jsonb_path_exists(instance.system_properties, '$.target_relationships_configuration_drift.* ? ${tellsDrift}')
      else instance.has_configuration_drift end
  from unnest(${column(0, 'text')}, ${column(1, 'text')}, ${column(2, 'integer')}, ${column(3, 'boolean')},
    ${column(4, 'boolean')}) as change (id, state, steps, resets_drift, resets_status)
  where instance.id = change.id and ${condition}
  returning instance.id, instance.version`;
}

/** The parameters of `instanceClause`. */
export function instanceParameters(changes: readonly InstanceStateChange[]): unknown[] {
  const collapsed = collapse(changes);
  const values = [...collapsed.values()];
  return [
    [...collapsed.keys()],
    values.map(({ state }) => state),
    values.map(({ steps }) => steps),
    values.map(({ resetsDrift }) => resetsDrift),
    values.map(({ resetsStatus }) => resetsStatus),
  ];
}

const statement = instanceClause(1);

/**
 * Sets states in one statement, in the given order. `configured` resets the stored configuration drift, `started` the
 * stored status check. Instances that are gone are left out.
 * @returns id -> new version
 */
export async function changeInstanceStates(
  session: Session,
  changes: readonly InstanceStateChange[],
): Promise<ReadonlyMap<string, number>> {
  if (changes.length === 0) {
    return new Map();
  }
  const rows = await session.prepared<{ id: string; version: number }>(statement, instanceParameters(changes));
  return new Map(rows.map(({ id, version }) => [id, version]));
}
