import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The test suites in the order they run: what is fast and tells most comes first. Without what a suite needs it is
 * skipped, without what it wants some of its tests are.
 */
export const suites = [
  { name: 'unit', folder: 'test/unit', needs: [] },
  { name: 'db', folder: 'test/db', needs: [] },
  { name: 'amqp', folder: 'test/amqp', needs: ['rabbitmq'] },
  { name: 'rest', folder: 'test/rest', needs: [] },
  { name: 'runtime', folder: 'test/runtime', needs: ['python'] },
  { name: 'cli', folder: 'test/cli', needs: [], wants: ['shells'] },
  { name: 'language-server', folder: 'test/language-server', needs: [] },
  { name: 'e2e', folder: 'test/e2e', needs: ['rabbitmq', 'nginx'] },
  { name: 'compat', folder: 'test/compat', needs: ['python', 'rabbitmq'] },
  { name: 'chaos', folder: 'test/chaos', needs: ['rabbitmq'] },
];

/** Test files of a suite, relative to the repository. */
export function filesOf(suite, root) {
  const folder = join(root, suite.folder);
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith('.test.ts'))
        .map((name) => join(suite.folder, name))
        .sort()
    : [];
}
