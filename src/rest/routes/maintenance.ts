import { GantryError } from '../../domain/errors.ts';
import type { MaintenanceService, MaintenanceStatus } from '../../services/maintenance.ts';
import { json, record } from '../answer.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';

const maintenanceSchema = record('Maintenance', {
  status: { enum: ['activated', 'activating', 'deactivated'] },
  activated_at: 'text',
  activation_requested_at: 'text',
  remaining_executions: 'json',
  requested_by: 'text',
});

function shape(maintenance: MaintenanceStatus): Record<string, unknown> {
  const { status, activatedAt, requestedAt, requestedBy, remaining } = maintenance;
  const isOff = status === 'deactivated';
  return {
    status,
    activated_at: activatedAt?.toISOString() ?? '',
    activation_requested_at: requestedAt?.toISOString() ?? '',
    remaining_executions: isOff
      ? null
      : remaining.map((execution) => ({
          id: execution.id,
          workflow_id: execution.workflowId,
          deployment_id: execution.deploymentId ?? null,
          status: execution.status,
        })),
    requested_by: requestedBy ?? '',
  };
}

/** Routes of `/maintenance`. */
export function maintenanceRoutes(maintenance: MaintenanceService): Route[] {
  return [
    {
      method: 'get',
      path: '/maintenance',
      summary: 'State of maintenance mode',
      access: { permission: 'maintenance_mode_get', tenant: 'optional' },
      isMaintenance: true,
      answer: json(maintenanceSchema),
      handle: async () => ok(shape(await maintenance.status())),
    },
    {
      method: 'post',
      path: '/maintenance/:action',
      summary: 'Activate or deactivate maintenance mode',
      access: { permission: 'maintenance_mode_set', tenant: 'optional' },
      isMaintenance: true,
      answer: json(maintenanceSchema),
      handle: async ({ caller, parameters, request }) => {
        request.resume();
        const { action } = parameters;
        if (action !== 'activate' && action !== 'deactivate') {
          throw new GantryError('bad_parameters_error', 'Invalid action: use activate or deactivate');
        }
        return ok(shape(await maintenance[action](caller)));
      },
    },
  ];
}
