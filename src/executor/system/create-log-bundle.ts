import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ZipWriter } from '../../files/zip-writer.ts';
import { askForLogs, describeManager, logsGivenChannel } from '../../store/log-bundles.ts';
import { listProcesses } from '../../store/processes.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import { finishArchive } from './archive-status.ts';
import type { SystemDependencies } from './dependencies.ts';

/** Milliseconds that processes have to give their logs; the bundle does without those that do not. */
const patience = 30_000;

/** Asks every living process for its logs. @returns names of those that gave none */
async function collect(
  { database, signal }: SystemWorkflowContext,
  bundleId: string,
  staleAfter: number,
): Promise<string[]> {
  const missing = new Set<string>();
  let finish: () => void = () => undefined;
  const complete = new Promise<void>((resolve) => (finish = resolve));
  const unlisten = await database.listen(logsGivenChannel, (payload) => {
    const [id, name] = (payload ?? '').split(' ');
    if (id === bundleId && name !== undefined && missing.delete(name) && missing.size === 0) {
      finish();
    }
  });
  const timer = setTimeout(finish, patience);
  signal.addEventListener('abort', finish, { once: true });
  try {
    (await listProcesses(database, staleAfter)).forEach(({ name }) => missing.add(name));
    await askForLogs(database, bundleId);
    await complete;
    signal.throwIfAborted();
    return [...missing];
  } finally {
    signal.removeEventListener('abort', finish);
    clearTimeout(timer);
    await unlisten();
  }
}

async function* oneText(text: string): AsyncGenerator<string> {
  yield text;
}

/** Puts the logs of all processes, and what the manager knows about itself, into an archive. */
export function createLogBundle({ files, config }: SystemDependencies): SystemWorkflow {
  return (context) =>
    finishArchive(context, 'log_bundles', async (id) => {
      const { database, signal } = context;
      const directory = files.logDirectory(id);
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory, { recursive: true, mode: 0o700 });
      try {
        const missing = await collect(context, id, config.executor.staleAfterSeconds);
        for (const name of missing) {
          context.log('warning', `The process ${name} gave no logs`);
        }
        const path = join(directory, '.bundle.zip');
        const zip = new ZipWriter(path);
        try {
          await zip.add('manager.json', oneText(`${JSON.stringify(await describeManager(database), null, 2)}\n`));
          for (const name of (await readdir(directory)).filter((entry) => !entry.startsWith('.')).sort()) {
            signal.throwIfAborted();
            await zip.addFile(`logs/${name}`, join(directory, name));
          }
          await zip.end();
        } finally {
          await zip.abort();
        }
        await files.keepArchive('log_bundles', id, path);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
}
