import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError } from '../sdk.ts';
import type { OperationSession } from '../session/operation-session.ts';
import { fetchRemote } from '../../files/remote.ts';
import type { RemotePolicy } from '../../files/remote.ts';

/** Largest script that is fetched from another machine, in bytes, and how long its answer may take, in milliseconds. */
const remoteLimits = { maxBytes: 64 * 1024 * 1024, timeout: 30_000 };

/** A script on disk. */
export interface ScriptFile {
  readonly path: string;
  /** Whether it came as text that is Python. */
  readonly isInlinePython: boolean;
}

/**
 * Puts the script of an operation on disk, executable.
 * Compatibility: `script_path` is a resource or a URL, `script_source` the text itself.
 * @throws NonRecoverableError when there is none, there are two, or it cannot be found
 */
export async function fetchScript(
  session: OperationSession,
  inputs: JsonObject,
  policy: RemotePolicy,
): Promise<ScriptFile> {
  const path = textInput(inputs, 'script_path');
  const source = textInput(inputs, 'script_source');
  if (path === undefined && source === undefined) {
    throw new NonRecoverableError('Either script_path or script_source must be provided');
  }
  if (path !== undefined && source !== undefined) {
    throw new NonRecoverableError('Only provide script_path or script_source, not both');
  }
  const folder = join(await session.folder(), randomUUID().slice(0, 8));
  await mkdir(folder);
  if (source !== undefined) {
    const text = dedent(source);
    const isInlinePython = looksLikePython(text);
    const file = join(folder, isInlinePython ? 'script.py' : 'script.sh');
    await writeFile(file, text, { mode: 0o755 });
    return { path: file, isInlinePython };
  }
  const location = path as string;
  const file = join(folder, fileNameOf(location));
  await download(session, location, file, inputs, policy);
  await chmod(file, 0o755);
  return { path: file, isInlinePython: false };
}

async function download(
  session: OperationSession,
  location: string,
  file: string,
  inputs: JsonObject,
  policy: RemotePolicy,
): Promise<void> {
  if (/^https?:\/\//i.test(location)) {
    await fetchFromHost(session, location, file, textInput(inputs, 'ssl_cert_content'), policy);
    return;
  }
  if (/^file:\/\//i.test(location)) {
    await copyFile(fileURLToPath(location), file).catch((thrown: unknown) => {
      throw new NonRecoverableError(`The script ${location} cannot be read`, { cause: thrown });
    });
    return;
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location)) {
    throw new NonRecoverableError(
      `The script ${location} cannot be fetched: give the path of a file of the blueprint, or an http(s) URL`,
    );
  }
  await session.downloadResource(location, file);
}

async function fetchFromHost(
  session: OperationSession,
  url: string,
  file: string,
  ca: string | undefined,
  policy: RemotePolicy,
): Promise<void> {
  const request = { ...remoteLimits, signal: session.signal, ...(ca === undefined ? {} : { ca }) };
  try {
    const { body } = await fetchRemote(url, policy, request);
    await pipeline(body, createWriteStream(file));
  } catch (thrown) {
    if (thrown instanceof GantryError) {
      throw new NonRecoverableError(thrown.message, { cause: thrown });
    }
    throw thrown;
  }
}

function textInput(inputs: JsonObject, name: string): string | undefined {
  const value = inputs[name];
  if (value === undefined || value === null || value === '') {
    return undefined;
  }
  if (typeof value !== 'string') {
    throw new NonRecoverableError(`The input '${name}' must be text`);
  }
  return value;
}

function fileNameOf(location: string): string {
  const path = URL.canParse(location) ? new URL(location).pathname : location;
  return basename(path.replaceAll('\\', '/')) || 'script';
}

/** The text without the blanks that all its lines start with. */
export function dedent(text: string): string {
  const lines = text.split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)?.[0] ?? '');
  const common = indents.reduce((left, right) => commonStart(left, right), indents[0] ?? '');
  return lines.map((line) => (line.trim() === '' ? line.trim() : line.slice(common.length))).join('\n');
}

function commonStart(left: string, right: string): string {
  let length = 0;
  while (length < left.length && left[length] === right[length]) {
    length += 1;
  }
  return left.slice(0, length);
}

/** Lines a Python program may begin with and a shell script does not. */
const pythonStatements = [
  /^from\s+[\w.]+\s+import\s+\S/,
  /^import\s+[\w.]+(\s+as\s+\w+)?\s*($|[,;#])/,
  /^(def|class|if|for|while|with|try|async)\b.*:\s*(#.*)?$/,
  /^(print|raise)\s*\(/,
  /^raise\s+\w+/,
  /^@\w/,
  /^[A-Za-z_]\w*\s+=\s/,
];

/**
 * Whether a script without a file name is Python: its first line says so, or its first statement is one of Python.
 * Compatibility: Cloudify takes everything that parses as Python for Python, even `ls`; here that is a shell script.
 */
export function looksLikePython(text: string): boolean {
  const [firstLine = ''] = text.split('\n', 1);
  if (firstLine.startsWith('#!')) {
    return firstLine.includes('python');
  }
  const withoutDocumentation = text.replace(/^(\s*(#.*)?\n)*[ \t]*("""[^]*?"""|'''[^]*?''')/, '');
  const statement = withoutDocumentation.split('\n').find((line) => !/^\s*(#.*)?$/.test(line)) ?? '';
  return pythonStatements.some((pattern) => pattern.test(statement));
}
