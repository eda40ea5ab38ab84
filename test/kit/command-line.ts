import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManagerControl } from '../../src/cli/manager-control.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { FakeManager } from './fake-manager.ts';
import type { FakeHandler } from './fake-manager.ts';
import { fakeTerminal } from './fake-terminal.ts';
import type { FakeTerminalOptions } from './fake-terminal.ts';

const noControl: ManagerControl = {
  start: async () => {
    throw new Error('not in this test');
  },
  migrate: async () => [],
  keys: () => Promise.reject(new Error('Not here')),
};

/** What a command line did. */
export interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs command lines in this process, against a manager that answers what a test tells it to. */
export class CommandLine {
  readonly folder: string;
  private manager: FakeManager | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<CommandLine> {
    return new CommandLine(await mkdtemp(join(tmpdir(), 'gantry-unit-')));
  }

  /** Starts the manager that all further command lines speak to. */
  async answer(handler: FakeHandler): Promise<FakeManager> {
    await this.manager?.stop();
    this.manager = await FakeManager.start(handler);
    return this.manager;
  }

  /** Runs one. @param options of the terminal; `signal`: Ctrl-C */
  async run(words: readonly string[], options: FakeTerminalOptions & { signal?: AbortSignal } = {}): Promise<Outcome> {
    const { manager } = this;
    const environment = {
      GANTRY_PROFILE_DIR: this.folder,
      ...(manager ? { GANTRY_URL: manager.url, GANTRY_USERNAME: 'admin', GANTRY_PASSWORD: 'secret' } : {}),
      ...options.environment,
    };
    const terminal = fakeTerminal({ ...options, environment });
    const code = await runCommandLine(words, terminal, options.signal ?? new AbortController().signal, noControl);
    return { code, output: terminal.output(), errors: terminal.errors() };
  }

  async close(): Promise<void> {
    await this.manager?.stop();
    this.manager = undefined;
    await rm(this.folder, { recursive: true, force: true });
  }
}
