/** What every store function takes: something that runs statements, inside a transaction or not. */

/** Who is behind a change, for the audit log. */
export interface Actor {
  username: string;
  executionId?: string;
  /** Network address the change was asked for from. */
  address?: string;
  /** The request behind the change, when it must not be carried out twice. */
  once?: Once;
}

/** A request that may be sent several times and is carried out once. */
export interface Once {
  /** The same for every attempt. */
  key: string;
  /** UUID of this attempt. */
  attempt: string;
}

export interface Session {
  /** Runs a statement as it is; right for statements built at run time. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Runs a statement that PostgreSQL parses once per connection; right for constant texts on hot paths. */
  prepared<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * The same for reads that find their rows by an index and wait for no lock: outside of transactions they share a few
   * connections, on which they are sent without waiting for each other.
   */
  lookUp<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws. Within a transaction it
   * just joins that one. Statements of a transaction that do not wait for each other (`Promise.all`) share a round trip;
   * they run one after the other, in the order in which they were asked for.
   */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result>;
}

export interface Transaction extends Session {
  /** Runs `task` after the commit, never after a rollback. What it throws is logged, not passed on. */
  afterCommit(task: () => void | Promise<void>): void;
}
