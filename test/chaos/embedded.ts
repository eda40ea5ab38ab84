import { mkdtemp, chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbeddedManager } from '../kit/manager.ts';
import { freePort } from '../kit/ports.ts';
import type { ChaosOptions, ChaosResult } from './chaos.ts';
import { describeFault, planFaults } from './faults.ts';
import { Workload } from './workload.ts';

/** Seconds after the last kill within which everything must have ended. */
const patience = 240;

/** Like `runChaos`, with the whole manager in one process, which is killed and started again. */
export async function runEmbeddedChaos(options: ChaosOptions): Promise<ChaosResult> {
  const log = options.log ?? (() => undefined);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-chaos-'));
  // the embedded PostgreSQL runs as another user when the tests run as root
  await chmod(folder, 0o755);
  const journal = join(folder, 'journal');
  await writeFile(journal, '');
  const port = await freePort();
  const start = (): ReturnType<typeof startEmbeddedManager> =>
    startEmbeddedManager({ dataDir: join(folder, 'data'), words: ['--port', String(port)] });
  let manager = await start();
  // its address and password stay the same
  const { client } = manager;
  const workload = new Workload(client, journal);
  try {
    await workload.start('chaos-0');
    const targets = { processes: ['all-1'], servers: [] };
    for (const fault of planFaults({ seed: options.seed, kills: options.kills, targets, others: 0 })) {
      await delay(fault.pause);
      log(describeFault(fault));
      await manager.program.kill();
      await delay(fault.lasts);
      manager = await start();
    }
    const limit = setTimeout(() => workload.giveUp(), patience * 1000);
    await workload.stop();
    clearTimeout(limit);
    const wrong = [...workload.complaints, ...doubled(await readFile(journal, 'utf8'))];
    wrong.forEach((complaint) => log(complaint));
    return {
      kills: options.kills,
      executions: workload.runs.length,
      lost: 0,
      hung: workload.open.size,
      wrong: wrong.length,
      rerun: interruptedScripts(await readFile(journal, 'utf8')),
    };
  } finally {
    client.close();
    manager.client.close();
    await manager.program.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Attempts that scripts began more than once. */
function doubled(journal: string): string[] {
  const begun = journal.split('\n').filter((line) => line.startsWith('begin '));
  const ids = begun.map((line) => line.split(' ')[1] ?? '');
  return ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `script ${id} began twice`);
}

/** Attempts that never came to their end: they were made again. */
function interruptedScripts(journal: string): number {
  const lines = journal.split('\n');
  const ended = new Set(lines.filter((line) => line.startsWith('end ')).map((line) => line.split(' ')[1]));
  return lines.filter((line) => line.startsWith('begin ') && !ended.has(line.split(' ')[1])).length;
}
