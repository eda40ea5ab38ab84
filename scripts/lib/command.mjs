import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

/** Runs a command and resolves with its exit code and what it wrote. */
export async function run(program, words, options = {}) {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const [code, signal] = await Promise.race([
    once(child, 'close'),
    once(child, 'error').then(([error]) => {
      throw error;
    }),
  ]);
  return { code: code ?? `signal ${signal}`, output };
}

/** The built command line of this repository. */
export class Gantry {
  constructor(root, environment) {
    this.program = join(root, 'dist', 'gantry.js');
    this.root = root;
    this.environment = { ...process.env, ...environment };
  }

  /** Runs a command with the terminal of this process. */
  async show(...words) {
    const child = spawn(process.execPath, [this.program, ...words], {
      cwd: this.root,
      env: this.environment,
      stdio: 'inherit',
    });
    const [code] = await once(child, 'close');
    return code;
  }

  /** Runs a command with --json and returns its exit code and parsed output. */
  async ask(...words) {
    const child = spawn(process.execPath, [this.program, ...words, '--json'], {
      cwd: this.root,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (errors += chunk));
    const [code] = await once(child, 'close');
    return { code, errors, answer: output.trim() === '' ? undefined : JSON.parse(output) };
  }

  /** Starts `gantry up` (or another serving command) and waits for its line of JSON. */
  async serve(...words) {
    const child = spawn(process.execPath, [this.program, ...words, '--json'], {
      cwd: this.root,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
      // Ctrl-C in the terminal is for us; we end the manager when we are done with it
      detached: true,
    });
    const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    const lines = createInterface({ input: child.stdout });
    const ready = await Promise.race([
      once(lines, 'line').then(([line]) => JSON.parse(line)),
      ended.then(({ code, signal }) => {
        throw new Error(`The manager did not start (${signal ?? `exit code ${code}`}); its message is above.`);
      }),
    ]);
    return { child, ready, ended };
  }
}
