import { Command as PlainCommand } from 'commander';
import { resourceOf } from './resources.ts';

/** What a list command reads, and what its endpoint takes besides a page. */
export interface Listing {
  /** Below `/api/v3.1`; `*` stands for a value of the command line. */
  readonly path: string;
  /** What is listed, for the sentence that there is none. */
  readonly things: string;
  /** Whether `_sort` orders it. */
  readonly isSortable: boolean;
  /** Whether `_search` looks in it. */
  readonly isSearchable: boolean;
  /** Whether `_all_tenants` widens it. */
  readonly hasAllTenants: boolean;
  /** Whether it takes filter rules. */
  readonly hasRules: boolean;
}

/** A command of the program, which besides what commander knows has examples and, when it lists, says what. */
export class Command extends PlainCommand {
  listing: Listing | undefined;
  /** What it lists, where it is no {@link Listing}. */
  things: string | undefined;
  private readonly given: string[] = [];

  constructor(name?: string) {
    super(name);
    this.addHelpText('after', () => this.exampleText());
  }

  override createCommand(name?: string): Command {
    return new Command(name);
  }

  /** Shows whole command lines in the help, as a person would type them. */
  example(...lines: readonly string[]): this {
    this.given.push(...lines);
    return this;
  }

  /** Command lines that show how it is used; made from its arguments where none were written. Groups have none. */
  get examples(): readonly string[] {
    return this.given.length > 0 || this.commands.length > 0 ? this.given : [sampleOf(this)];
  }

  /** Its words without the name of the program: `deployments labels add`. */
  get words(): readonly string[] {
    const { parent } = this;
    return parent instanceof Command ? [...parent.words, this.name()] : [];
  }

  /** The commands below it. */
  get children(): readonly Command[] {
    return this.commands as readonly Command[];
  }

  /** It and every command below it. */
  *tree(): Generator<Command, void, undefined> {
    yield this;
    for (const child of this.children) {
      yield* child.tree();
    }
  }

  /** Puts the commands below it in this order in its help; others follow. @param names of commands */
  orderChildren(names: readonly string[]): void {
    const rank = (command: Command): number => {
      const index = names.indexOf(command.name());
      return index < 0 ? names.length : index;
    };
    // commander shows headings in the order of its own list
    (this.commands as Command[]).sort((left, right) => rank(left) - rank(right));
  }

  private exampleText(): string {
    const { examples } = this;
    const title = examples.length === 1 ? 'Example' : 'Examples';
    return examples.length === 0 ? '' : `\n${title}:\n${examples.map((line) => `  ${line}`).join('\n')}`;
  }
}

/** The command with values that its arguments and required options could have. */
function sampleOf(command: Command): string {
  const values = command.registeredArguments.map((argument) => {
    const [choice] = argument.argChoices ?? [];
    return choice ?? resourceOf(command.words, argument.name())?.sample ?? argument.name().toUpperCase();
  });
  const options = command.options
    .filter((option) => option.mandatory)
    .map((option) => {
      const [choice] = option.argChoices ?? [];
      const sample = choice ?? resourceOf(command.words, option.attributeName())?.sample;
      return `${option.long ?? option.flags} ${sample ?? option.name().toUpperCase()}`;
    });
  return ['gantry', ...command.words, ...values, ...options].join(' ');
}
