import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const pidFiles = new Set(['rabbit.pid', 'postmaster.pid', 'nginx.pid', 'gantry.pid']);

function findPidFiles(folder, depth = 0) {
  if (depth > 5) {
    return [];
  }
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return findPidFiles(path, depth + 1);
    }
    return pidFiles.has(entry.name) ? [path] : [];
  });
}

/** Ends the servers whose pid files are left below `folder` (a test process that was killed left them) and removes it. */
export function cleanUp(folder) {
  for (const file of findPidFiles(folder)) {
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
    try {
      if (Number.isInteger(pid) && pid > 1) {
        process.kill(pid, file.endsWith('postmaster.pid') ? 'SIGQUIT' : 'SIGTERM');
      }
    } catch {
      // it has ended meanwhile
    }
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
