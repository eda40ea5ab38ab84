import { execFile } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { coerceError } from '../../domain/errors.ts';
import { NonRecoverableError } from '../sdk.ts';

/**
 * The function of a task name such as `tasks.start`: an export of that name, or a member of an export.
 * @throws NonRecoverableError when the module cannot be loaded or has no such function
 */
export async function loadPluginFunction(
  entry: string,
  pluginName: string,
  taskName: string,
): Promise<(...args: never[]) => unknown> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(entry).href)) as Record<string, unknown>;
  } catch (thrown) {
    const error = coerceError(thrown);
    const place = await placeOfSyntaxError(entry);
    throw new NonRecoverableError(`Plugin '${pluginName}' cannot be loaded from ${place ?? entry}: ${error.message}`, {
      cause: error,
    });
  }
  const found = member(module, taskName) ?? member(module['default'], taskName);
  if (typeof found !== 'function') {
    throw new NonRecoverableError(`Plugin '${pluginName}' has no function '${taskName}' in ${entry}`);
  }
  return found as (...args: never[]) => unknown;
}

/** `file:line` of a module that cannot be parsed; only the program itself tells, the error does not say. */
async function placeOfSyntaxError(entry: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--check', entry], (error, _stdout, stderr) => {
      const [, place] = /^(?:file:\/\/)?(\/.*:\d+)$/m.exec(stderr) ?? [];
      resolve(error ? place : undefined);
    });
  });
}

function member(container: unknown, name: string): unknown {
  if (typeof container !== 'object' || container === null) {
    return undefined;
  }
  if (Object.hasOwn(container, name)) {
    return Reflect.get(container, name);
  }
  const dot = name.indexOf('.');
  if (dot < 0) {
    return undefined;
  }
  const first = name.slice(0, dot);
  return Object.hasOwn(container, first) ? member(Reflect.get(container, first), name.slice(dot + 1)) : undefined;
}
