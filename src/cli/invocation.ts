import { readFile } from 'node:fs/promises';
import type { Command } from './command-tree.ts';
import { GantryClient } from '../client/client.ts';
import type { Credentials } from '../client/transport.ts';
import { UsageError } from './errors.ts';
import { Output } from './output.ts';
import { ProfileStore, normaliseUrl, unknownProfile } from './profiles.ts';
import type { Profile } from './profiles.ts';
import type { Terminal } from './terminal.ts';

/** Options that every command has. */
export interface GlobalOptions {
  profile?: string;
  url?: string;
  username?: string;
  password?: string;
  passwordFile?: string;
  token?: string;
  tenant?: string;
  ca?: string;
  insecure?: boolean;
  json?: boolean;
  yaml?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** One run of one command: its options, output and, when it needs one, the client of the chosen manager. */
export class Invocation {
  readonly terminal: Terminal;
  readonly options: GlobalOptions;
  readonly output: Output;
  readonly profiles: ProfileStore;
  readonly signal: AbortSignal;
  private opened: GantryClient | undefined;

  /** @param things what the command lists, if it does */
  constructor(terminal: Terminal, options: GlobalOptions, signal: AbortSignal, things?: string) {
    if (options.json === true && options.yaml === true) {
      throw new UsageError('Choose one of --json and --yaml');
    }
    this.terminal = terminal;
    this.options = options;
    this.signal = signal;
    const format = options.json === true ? 'json' : options.yaml === true ? 'yaml' : 'table';
    this.output = new Output(format, terminal, { isQuiet: options.quiet === true, things });
    this.profiles = new ProfileStore(terminal.environment);
  }

  /** The profile in force: command line before environment before the stored one. */
  async profile(): Promise<Profile> {
    const { environment } = this.terminal;
    const stored = await this.storedProfile();
    const url = this.options.url ?? environment['GANTRY_URL'] ?? stored?.url;
    if (url === undefined) {
      throw new UsageError(
        'No manager chosen',
        'Start one here with: gantry up',
        'Or choose one with: gantry profiles use URL --username NAME',
      );
    }
    const username = this.options.username ?? environment['GANTRY_USERNAME'] ?? stored?.username;
    const password = (await this.givenPassword()) ?? environment['GANTRY_PASSWORD'] ?? stored?.password;
    const token = this.options.token ?? environment['GANTRY_TOKEN'] ?? stored?.token;
    const caFile = this.options.ca ?? environment['GANTRY_CA_FILE'] ?? stored?.caFile;
    return {
      url: normaliseUrl(url),
      tenant: this.options.tenant ?? environment['GANTRY_TENANT'] ?? stored?.tenant ?? 'default_tenant',
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(token === undefined ? {} : { token }),
      ...(caFile === undefined ? {} : { caFile }),
    };
  }

  /** The client of the chosen manager; the same one for the whole command. */
  async client(): Promise<GantryClient> {
    this.opened ??= await this.clientOf(await this.profile());
    return this.opened;
  }

  /** A client for any profile. */
  async clientOf(profile: Profile): Promise<GantryClient> {
    const caCertificate = profile.caFile === undefined ? undefined : await readText(profile.caFile);
    return new GantryClient({
      url: profile.url,
      credentials: credentialsOf(profile),
      tenant: profile.tenant,
      // a person waits: a manager that is not there is said so within two seconds
      retries: 2,
      isInsecure: this.options.insecure === true,
      ...(caCertificate === undefined ? {} : { caCertificate }),
    });
  }

  /** A password from the command line or a file named there. */
  async givenPassword(): Promise<string | undefined> {
    if (this.options.passwordFile !== undefined) {
      return (await readText(this.options.passwordFile)).trimEnd();
    }
    return this.options.password;
  }

  close(): void {
    this.opened?.close();
  }

  private async storedProfile(): Promise<Profile | undefined> {
    const book = await this.profiles.load();
    const name = this.options.profile ?? book.active;
    if (name === undefined) {
      return undefined;
    }
    const found = book.profiles[name];
    if (found === undefined) {
      throw unknownProfile(name, book);
    }
    return found;
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function credentialsOf(profile: Profile): Credentials {
  if (profile.token !== undefined && profile.token !== '') {
    return { kind: 'token', token: profile.token };
  }
  if (profile.username !== undefined) {
    return { kind: 'basic', username: profile.username, password: profile.password ?? '' };
  }
  return { kind: 'none' };
}

/** What commands are built with. */
export interface CommandSetting {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/**
 * Wraps the work of a command: resolves its options and closes the client afterwards.
 * @param work gets the invocation, the command's own options and its arguments
 */
export function command<Options extends object, Arguments extends unknown[]>(
  setting: CommandSetting,
  work: (invocation: Invocation, options: Options, ...values: Arguments) => Promise<void>,
): (...values: unknown[]) => Promise<void> {
  return async (...values) => {
    const self = values.at(-1) as Command;
    const options = self.optsWithGlobals<Options & GlobalOptions>();
    const invocation = new Invocation(setting.terminal, options, setting.signal, self.things ?? self.listing?.things);
    try {
      await work(invocation, options, ...(values.slice(0, -2) as Arguments));
    } finally {
      invocation.close();
    }
  };
}

/** Collects a repeatable option. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
