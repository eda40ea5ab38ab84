import type { Option } from 'commander';
import { fetchPage } from '../client/pages.ts';
import type { Command } from './command-tree.ts';
import { Invocation } from './invocation.ts';
import type { CommandSetting } from './invocation.ts';
import { namedResources, resourceOf } from './resources.ts';
import type { NamedResource } from './resources.ts';

/** A word that could stand at the cursor, and what it means. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What a shell offers at the cursor. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Whether names of files fit, too. */
  readonly takesFiles: boolean;
}

/** Where the cursor is. */
interface Place {
  readonly command: Command;
  /** What is typed of the word at the cursor. */
  readonly partial: string;
  /** Option whose value is typed. */
  readonly option: Option | undefined;
  /** Arguments before the cursor. */
  readonly count: number;
  /** Options before the cursor that have a value, by their name in camel case. */
  readonly given: Readonly<Record<string, string>>;
}

/** Milliseconds a person waits for names of the manager before there are none. */
const patience = 2000;
const mostNames = 200;
/** Characters of what is said about a name. */
const longestAbout = 60;

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** Options of a command and of those above it. */
function optionsOf(command: Command): Option[] {
  const { parent } = command;
  return [...command.options, ...(parent ? optionsOf(parent as Command) : [])];
}

function findOption(command: Command, flag: string): Option | undefined {
  return optionsOf(command).find(({ long, short }) => long === flag || short === flag);
}

/** Reads the words before the cursor. Shells may hand over `--size=5` in one word or in three. */
function placeOf(program: Command, words: readonly string[]): Place {
  let command = program;
  let option: Option | undefined;
  let count = 0;
  const given: Record<string, string> = {};
  for (const word of words.slice(0, -1)) {
    const [flag = '', value] = word.startsWith('-') ? word.split(/=(.*)/s) : [];
    if (option && word === '=') {
      continue;
    }
    if (option) {
      given[option.attributeName()] = word;
      option = undefined;
    } else if (flag !== '') {
      const found = findOption(command, flag);
      if (found && value !== undefined) {
        given[found.attributeName()] = value;
      } else {
        option = found && takesValue(found) ? found : undefined;
      }
    } else {
      const child = command.children.find((each) => each.name() === word || each.aliases().includes(word));
      if (child) {
        command = child;
      } else {
        count += 1;
      }
    }
  }
  const last = words.at(-1) ?? '';
  return { command, partial: option && last === '=' ? '' : last, option, count, given };
}

function matching(candidates: readonly Candidate[], partial: string): Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(partial));
}

function isFile(name: string): boolean {
  return /\b(file|path|dir|folder|output|name-or-url|blueprint-or-path)\b/i.test(name);
}

/** Completes command lines from the commands themselves and from what the manager has. */
export class Completer {
  private readonly program: Command;
  private readonly setting: CommandSetting;

  constructor(program: Command, setting: CommandSetting) {
    this.program = program;
    this.setting = setting;
  }

  /**
   * What could stand at the cursor.
   * @param words typed after the name of the program; the last one is at the cursor and may be empty
   */
  async complete(words: readonly string[]): Promise<Completion> {
    const place = placeOf(this.program, words);
    const { command, partial, option } = place;
    if (option) {
      return this.values(place, option.attributeName(), option.argChoices, `${option.flags} ${option.attributeName()}`);
    }
    const [flag = '', value] = partial.startsWith('--') ? partial.split(/=(.*)/s) : [];
    if (value !== undefined) {
      const found = findOption(command, flag);
      const values =
        found && (await this.values({ ...place, partial: value }, found.attributeName(), found.argChoices));
      const candidates = (values?.candidates ?? []).map(({ word, about }) => ({ word: `${flag}=${word}`, about }));
      return { candidates, takesFiles: false };
    }
    if (partial.startsWith('-')) {
      return { candidates: this.flags(command, partial), takesFiles: false };
    }
    return command.children.length > 0 ? this.commands(command, partial) : this.argument(place);
  }

  private commands(command: Command, partial: string): Completion {
    const shown = command.createHelp().visibleCommands(command);
    const candidates = shown.map((child) => ({ word: child.name(), about: child.description() }));
    return { candidates: matching(candidates, partial), takesFiles: false };
  }

  private flags(command: Command, partial: string): Candidate[] {
    const options = optionsOf(command)
      .filter((option) => !option.hidden)
      .map((option) => ({ word: option.long ?? option.flags, about: option.description }));
    const help = { word: '--help', about: 'display help for command' };
    return matching([...options, help], partial);
  }

  private async argument(place: Place): Promise<Completion> {
    const { command, count } = place;
    const all = command.registeredArguments;
    const argument = all[count] ?? (all.at(-1)?.variadic === true ? all.at(-1) : undefined);
    return argument
      ? this.values(place, argument.name(), argument.argChoices, argument.name())
      : { candidates: [], takesFiles: false };
  }

  /** Values of an argument or option. @param shown texts that tell whether it is a file */
  private async values(
    place: Place,
    name: string,
    choices: readonly string[] | undefined,
    shown = '',
  ): Promise<Completion> {
    const { command, partial } = place;
    if (choices) {
      return {
        candidates: matching(
          choices.map((word) => ({ word, about: '' })),
          partial,
        ),
        takesFiles: false,
      };
    }
    if (name === 'profile' || command.words[0] === 'profiles') {
      return { candidates: await this.profiles(partial), takesFiles: isFile(shown) };
    }
    const resource = name === 'workflow' ? workflows : resourceOf(command.words, name);
    const isNew = command.name() === 'create' && ['id', 'name', 'key'].includes(name);
    if (isNamed(resource) && !isNew) {
      return { candidates: await this.names(resource, place), takesFiles: isFile(shown) };
    }
    return { candidates: [], takesFiles: isFile(shown) };
  }

  private async profiles(partial: string): Promise<Candidate[]> {
    const invocation = new Invocation(this.setting.terminal, {}, this.setting.signal);
    const { profiles } = await invocation.profiles.load();
    return matching(
      Object.entries(profiles).map(([word, { url }]) => ({ word, about: url })),
      partial,
    );
  }

  /** Names that the manager has; none when it does not answer in time, since a shell shows no errors here. */
  private async names(resource: NamedResource, { partial, given }: Place): Promise<Candidate[]> {
    const signal = AbortSignal.any([this.setting.signal, AbortSignal.timeout(patience)]);
    const invocation = new Invocation(this.setting.terminal, given, signal);
    try {
      const client = await invocation.client();
      const { items } = await fetchPage<Record<string, unknown>>(client.transport, resource.path, {
        size: mostNames,
        signal,
        ...(resource.sort === undefined ? {} : { sort: [resource.sort] }),
        ...(resource.isSearchable && partial !== '' ? { search: partial } : {}),
        filters: filtersOf(resource, given),
      });
      const candidates = items.map((item) => ({
        word: textOf(item[resource.member]),
        about: resource.about === undefined ? '' : shortened(textOf(item[resource.about])),
      }));
      return matching(candidates, partial);
    } catch {
      return [];
    } finally {
      invocation.close();
    }
  }
}

const workflows: NamedResource = { path: '/workflows', member: 'name', isSearchable: false, sample: 'install' };
const ofDeployment: readonly NamedResource[] = [namedResources.node, namedResources['node-instance']];

/** Of a deployment that stands on the command line, only what is its own. */
function filtersOf(resource: NamedResource, given: Place['given']): Record<string, string | undefined> {
  const deployment = given['deploymentId'] ?? given['deployment'];
  if (resource === workflows) {
    return { id: deployment };
  }
  return ofDeployment.includes(resource) ? { deployment_id: deployment } : {};
}

function isNamed(resource: object | undefined): resource is NamedResource {
  return resource !== undefined && 'path' in resource;
}

function shortened(text: string): string {
  return text.length > longestAbout ? `${text.slice(0, longestAbout - 1)}…` : text;
}

/** First line of a value as text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? (value.split('\n')[0] ?? '') : '';
}
