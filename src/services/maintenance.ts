import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Database } from '../store/database.ts';
import { findBlockingExecutions } from '../store/execution-queue.ts';
import { activateMaintenance, endMaintenance, readMaintenance, requestMaintenance } from '../store/maintenance.ts';
import type { Session } from '../store/session.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';

export interface MaintenanceStatus {
  readonly status: 'deactivated' | 'activating' | 'activated';
  readonly activatedAt: Date | undefined;
  readonly requestedAt: Date | undefined;
  readonly requestedBy: string | undefined;
  /** Executions that must end before it is activated. */
  readonly remaining: readonly Execution[];
}

export interface MaintenanceService {
  status(): Promise<MaintenanceStatus>;
  /** The bare status; what was asked for begins once nothing runs any more. */
  currentStatus(): Promise<MaintenanceStatus['status']>;
  /** At once when nothing runs, otherwise as soon as nothing runs. @throws GantryError not_modified */
  activate(caller: Caller): Promise<MaintenanceStatus>;
  /** @throws GantryError not_modified when it is off */
  deactivate(caller: Caller): Promise<MaintenanceStatus>;
}

/** Makes the use cases of maintenance mode. */
export function createMaintenanceService(database: Database): MaintenanceService {
  const read = async (session: Session): Promise<MaintenanceStatus> => {
    const remaining = await findBlockingExecutions(session, {});
    let maintenance = await readMaintenance(session);
    if (maintenance?.status === 'activating' && remaining.length === 0) {
      await activateMaintenance(session);
      maintenance = await readMaintenance(session);
    }
    return {
      status: maintenance?.status ?? 'deactivated',
      activatedAt: maintenance?.activatedAt,
      requestedAt: maintenance?.activationRequestedAt,
      requestedBy: maintenance?.requestedBy,
      remaining: maintenance?.status === 'activating' ? remaining : [],
    };
  };
  return {
    status: () => read(database),

    async currentStatus() {
      const status = (await readMaintenance(database))?.status ?? 'deactivated';
      return status === 'activating' ? (await read(database)).status : status;
    },

    activate: (caller) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        if (!(await requestMaintenance(transaction, caller.user.id))) {
          throw new GantryError('not_modified', 'Maintenance mode is already on');
        }
        return read(transaction);
      }),

    deactivate: (caller) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        if (!(await endMaintenance(transaction))) {
          throw new GantryError('not_modified', 'Maintenance mode is already off');
        }
        return read(transaction);
      }),
  };
}
