import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { packageRoot } from '../../src/config/package-root.ts';
import { cleanEnvironment, runProgram } from './program.ts';
import type { CommandResult } from './program.ts';
import { pythonEnvironment } from './python.ts';

/** Programs of the Python environment with the unmodified client. */
export function clientEnvironment(): Promise<string> {
  return pythonEnvironment(join(packageRoot(), 'test', 'compat', 'requirements.txt'));
}

/** The unmodified command line client of Cloudify with a working directory of its own. */
export class Cfy {
  private readonly home: string;
  private readonly programs: string;

  private constructor(home: string, programs: string) {
    this.home = home;
    this.programs = programs;
  }

  static async make(): Promise<Cfy> {
    const programs = await clientEnvironment();
    const home = await mkdtemp(join(tmpdir(), 'gantry-cfy-'));
    await mkdir(join(home, 'work'));
    return new Cfy(home, programs);
  }

  /** Runs `cfy` to its end. */
  run(...words: string[]): Promise<CommandResult> {
    return runProgram(join(this.programs, 'cfy'), words, {
      cwd: join(this.home, 'work'),
      environment: cleanEnvironment({
        HOME: this.home,
        CFY_WORKDIR: this.home,
        LC_ALL: 'C.UTF-8',
        PATH: `${this.programs}${delimiter}${process.env['PATH'] ?? ''}`,
        PYTHONWARNINGS: 'ignore',
      }),
    });
  }

  /**
   * Runs `cfy` and returns what it printed.
   * @throws Error with all it printed when it fails
   */
  async must(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...words);
    if (code !== 0) {
      throw new Error(`cfy ${words.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
    }
    return `${stdout}${stderr}`;
  }

  /** Runs `cfy ... --json` and returns what it printed, parsed. */
  async json<Result>(...words: string[]): Promise<Result> {
    const { code, stdout, stderr } = await this.run(...words, '--json');
    if (code !== 0) {
      throw new Error(`cfy ${words.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
    }
    return JSON.parse(stdout) as Result;
  }

  async dispose(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
