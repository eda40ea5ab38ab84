/** One forward step of the schema and the way back. Statements run in one transaction. */
export interface Migration {
  /** Sorts after every earlier one; never changes once released. */
  readonly name: string;
  /** Programs that do not know this migration cannot work on the schema it leaves. */
  readonly isBreaking: boolean;
  readonly up: string;
  readonly down: string;
}
