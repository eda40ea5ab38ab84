import type { Session } from '../store/session.ts';
import type { WorkflowConfig } from '../workflows/context.ts';

const defaults: WorkflowConfig = { taskRetries: 60, taskRetryInterval: 15, subgraphRetries: 0 };

/**
 * The retry settings of workflows.
 *
 * Compatibility: configuration scope `workflow` of Cloudify 7 with its installed defaults.
 */
export async function loadWorkflowConfig(session: Session): Promise<WorkflowConfig> {
  const rows = await session.prepared<{ name: string; value: unknown }>(
    `select name, value from config where scope = 'workflow'`,
  );
  const values = new Map(rows.map((row) => [row.name, row.value]));
  const number = (name: string, otherwise: number): number => {
    const value = values.get(name);
    return typeof value === 'number' ? value : otherwise;
  };
  return {
    taskRetries: number('task_retries', defaults.taskRetries),
    taskRetryInterval: number('task_retry_interval', defaults.taskRetryInterval),
    subgraphRetries: number('subgraph_retries', defaults.subgraphRetries),
  };
}
