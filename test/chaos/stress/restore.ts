import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../kit/until.ts';
import { textOf } from './requests.ts';
import type { Answer, Requests } from './requests.ts';
import { tenants } from './world.ts';
import type { Shared } from './world.ts';

/** Makes a snapshot in the first half of the load and restores it in the second one. */
export async function restoreSnapshot(
  requests: Requests,
  { admin, resumed, executions }: Shared,
  seconds: number,
  log: (line: string) => void,
): Promise<void> {
  const send = (method: 'GET' | 'PUT' | 'POST', path: string, body?: { force: true }): Promise<Answer> =>
    requests.send({ person: admin, tenant: tenants[0], method, path, body });
  const ended = async (what: string, { status, body }: Answer): Promise<void> => {
    const id = textOf(body, 'id');
    const end = await until(
      `the ${what}`,
      async () => {
        const answer = await send('GET', `/executions/${id}`);
        return ['terminated', 'failed', 'cancelled'].includes(textOf(answer.body, 'status')) && answer;
      },
      120,
    );
    const outcome = `${textOf(end.body, 'status')} ${textOf(end.body, 'error')}`;
    log(`${what}: ${status}, ${outcome}`);
    if (end.body['status'] !== 'terminated') {
      requests.complaints.push(`${what} ${id} ended ${outcome}`);
    }
  };
  await delay(seconds * 300);
  await ended('snapshot', await send('PUT', '/snapshots/whole'));
  await delay(seconds * 200);
  await ended('restore', await send('POST', '/snapshots/whole/restore', { force: true }));
  executions.forEach(({ id }) => resumed.add(id));
}
