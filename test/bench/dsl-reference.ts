import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/config/package-root.ts';
import { pythonEnvironment } from '../kit/python.ts';
import { typesFolder } from './dsl-blueprints.ts';

/** What the reference parser needed for one task. */
export interface ReferenceFigure {
  task: string;
  processorSeconds: number;
  seconds: number;
  peakRssMiB: number;
  nodes: number;
  instances?: number;
  relationships?: number;
}

/**
 * Runs the reference parser on blueprint files.
 * @param tasks `parse:FILE` or `prepare:FILE`, measured one after the other in one process
 * @returns undefined where there is no Python to run it with
 */
export async function measureReference(
  tasks: readonly string[],
  log: (line: string) => void,
): Promise<ReferenceFigure[] | undefined> {
  const root = packageRoot();
  let python: string;
  try {
    python = join(await pythonEnvironment(join(root, 'test', 'compat', 'requirements.txt')), 'python');
  } catch (error) {
    log(`no reference to compare with: ${error instanceof Error ? String(error.message.split('\n')[0]) : ''}`);
    return undefined;
  }
  const program = join(root, 'test', 'bench', 'dsl_reference.py');
  const child = spawn(python, [program, typesFolder, ...tasks], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  const figures: ReferenceFigure[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => figures.push(JSON.parse(line) as ReferenceFigure));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) {
    throw new Error(`The reference ended with ${code}:\n${complaint}`);
  }
  return figures;
}
